//! Promise 9: a head that the gateway might not understand the same way as the handler is refused, not guessed. Every
//! probe is a raw request with a second one behind it, sent to routes that are answered from memory, from a fetch and by
//! the handler alike: each gets its status, the connection closes after it, and the handler sees nothing of either request.
//!
//! Bodies, and requests that are hidden in good ones, are in `bodies`.

mod bodies;

use evergate_tests::{Client, Gateway, Origin, Reply, Response, get};

/// A line or more that a head holds beside a good `host`, and the status of the refusal.
type Lines = (&'static [u8], u16);

/// A whole head, where `PATH` stands for the path, and the status of the refusal.
type Head = (&'static [u8], u16);

/// A page in memory, one that would be fetched, one that always passes, and one without a route.
const PLACES: [&str; 4] = ["/cached/warm", "/cached/cold", "/dynamic/page", "/unmatched/page"];

/// What an attacker hopes to get past the gateway.
const HIDDEN: &[u8] = b"GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";

const LENGTHS: &[Lines] = &[
    (b"content-length: 5\r\ncontent-length: 6\r\n", 400),
    (b"content-length: 5\r\ncontent-length: 5\r\n", 400),
    (b"content-length: 0\r\nContent-Length: 0\r\n", 400),
    (b"content-length: 5, 5\r\n", 400),
    (b"content-length: 5, 6\r\n", 400),
    (b"content-length:\r\n", 400),
    (b"content-length: +5\r\n", 400),
    (b"content-length: -5\r\n", 400),
    (b"content-length: 0x5\r\n", 400),
    (b"content-length: 5 5\r\n", 400),
    (b"content-length: 5.0\r\n", 400),
    (b"content-length: five\r\n", 400),
    (b"content-length: 18446744073709551616\r\n", 400),
    (b"content-length: 5\r\ntransfer-encoding: chunked\r\n", 400),
    (b"transfer-encoding: chunked\r\ncontent-length: 0\r\n", 400),
    (b"transfer-encoding: identity\r\ncontent-length: 5\r\n", 400),
];

/// Where `chunked` is not the last coding, or twice there, nobody knows where the body ends (RFC 9112 section 6.3); another
/// coding before it is merely not supported (section 6.1).
const CODINGS: &[Lines] = &[
    (b"transfer-encoding: gzip, chunked\r\n", 501),
    (b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n", 501),
    (b"transfer-encoding: chunked, chunked\r\n", 400),
    (b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", 400),
    (b"transfer-encoding: identity, chunked\r\n", 501),
    (b"transfer-encoding: , chunked\r\n", 400),
    (b"transfer-encoding: identity\r\n", 400),
    (b"transfer-encoding: gzip\r\n", 400),
    (b"transfer-encoding: xchunked\r\n", 400),
    (b"transfer-encoding: chunkedx\r\n", 400),
    (b"transfer-encoding: chunk\r\n", 400),
    (b"transfer-encoding: chunked, gzip\r\n", 400),
    (b"transfer-encoding: chunked, identity\r\n", 400),
    (b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", 400),
    (b"transfer-encoding: chunked;q=1\r\n", 400),
    (b"transfer-encoding: \"chunked\"\r\n", 400),
    (b"transfer-encoding: 'chunked'\r\n", 400),
    (b"transfer-encoding: \xa0chunked\r\n", 400),
    (b"transfer-encoding: chunked\xa0\r\n", 400),
    (b"transfer-encoding:\r\n", 400),
    (b"transfer-encoding: \x0bchunked\r\n", 400),
    (b"transfer-encoding: chunked\x0c\r\n", 400),
    (b"transfer-encoding: chun\0ked\r\n", 400),
    (b"transfer-encoding: chun\rked\r\n", 400),
    (b"transfer-encoding:\r\n chunked\r\n", 400),
    (b"transfer-encoding : chunked\r\n", 400),
    (b"transfer-encoding\t: chunked\r\n", 400),
    (b" transfer-encoding: chunked\r\n", 400),
    (b"x: y\ntransfer-encoding: chunked\r\n", 400),
    (b"x: y\rtransfer-encoding: chunked\r\n", 400),
];

const FIELDS: &[Lines] = &[
    (b"x: a\rb\r\n", 400),
    (b"x: a\r\r\n", 400),
    (b"x: a\nb: c\r\n", 400),
    (b"x: a\n\r\n", 400),
    (b"x: a\n", 400),
    (b"\n", 400),
    (b"x: a\r\n\n", 400),
    (b"x: a\r\n\r", 400),
    (b"x: a\r\n b\r\n", 400),
    (b"x: a\r\n\tb\r\n", 400),
    (b"x: a\r\n \r\n", 400),
    (b"x : a\r\n", 400),
    (b"x\t: a\r\n", 400),
    (b"content-length : 5\r\n", 400),
    (b"x\r\n", 400),
    (b": a\r\n", 400),
    (b"x y: a\r\n", 400),
    (b"x(y): a\r\n", 400),
    (b"x\xe9: a\r\n", 400),
    (b"x\0: a\r\n", 400),
    (b"x: a\0b\r\n", 400),
    (b"x: a\x01b\r\n", 400),
    (b"x: a\x1bb\r\n", 400),
    (b"x: a\x7fb\r\n", 400),
    (b"host: a\r\n", 400),
    (b"Host: b\r\n", 400),
    (b"host:\r\n", 400),
];

const HOSTS: &[Head] = &[
    (b"GET PATH HTTP/1.1\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost:\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a, b\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a/b\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a?b\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a#b\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: u@a\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a\\b\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a\tb\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a%00\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a\xe9\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a:port\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a:65536\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a:+80\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a:80:80\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: :80\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: [::1\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: [::1]x\r\n\r\n", 400),
    (b"GET PATH HTTP/1.0\r\nhost: a\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH HTTP/1.0\r\nhost: a b\r\n\r\n", 400),
    (b"GET http://bPATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET http://a:81PATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET http://aPATH HTTP/1.1\r\n\r\n", 400),
    (b"GET http://u@aPATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET http://PATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET http://a?PATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET ftp://aPATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
];

const REQUEST_LINES: &[Head] = &[
    (b"GET  PATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH  HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET\tPATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH\tHTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b" GET PATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1 \r\nhost: a\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\nhost: a\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\rhost: a\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\n x\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH HTTP/1.1\r\nhost: a\n\n", 400),
    (b"\nGET PATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"\r\n\r\n\r\nGET PATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"G(T PATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"G\0T PATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"PATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET * HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH?a b HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH\r\n\r\n", 400),
    (b"GET PATH\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH http/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH HTTPS/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH HTTP/2.0\r\nhost: a\r\n\r\n", 505),
    (b"GET PATH HTTP/3.0\r\nhost: a\r\n\r\n", 505),
    (b"GET PATH HTTP/0.9\r\nhost: a\r\n\r\n", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n", 405),
    (b"CONNECT PATH HTTP/1.1\r\nhost: a\r\n\r\n", 405),
];

const TARGETS: &[Head] = &[
    (b"GET PATH\x01 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH\x1f HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH\x7f HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH\0 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH\xc3\xa9 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH\xff HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH?a=\x02 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH?a=\xe9 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH#part HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH%00 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH%00.html HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n", 400),
    (b"GET PATH\\ HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET \\PATH HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH%5C HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH%5c..%5chidden HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH% HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH%4 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH%4/x HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH%zz HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH%u0041 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH%+1 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET PATH%% HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"HEAD PATH%00 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET http://aPATH%00 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
];

/// A gateway whose first place is in memory.
struct Probed {
    origin: Origin,
    gateway: Gateway,
}

impl Probed {
    async fn start() -> Probed {
        let origin = Origin::start().await;
        origin.on("/*", |seen| Reply::ok(format!("{} {}", seen.method, seen.target)));
        let routes = " [{ path: '/cached/[name]', revalidate: 1h }, { path: '/dynamic/[name]' }]";
        let gateway = Gateway::simple(&origin, routes).await;
        assert_eq!(get(gateway.address(), PLACES[0]).await.x_cache(), "MISS");
        Probed { origin, gateway }
    }

    /// How much of anything the handler has seen.
    fn asked(&self) -> usize {
        self.origin.count("/*") + self.origin.malformed().len()
    }

    /// A connection over which `bytes` were sent, with another request behind them.
    async fn sent(&self, bytes: &[u8]) -> Client {
        let mut client = Client::connect(self.gateway.address()).await;
        client.send_raw([bytes, HIDDEN].concat()).await;
        client
    }

    /// Sends a head with another request behind it; what is wrong with what comes of it, if that is no clean refusal.
    async fn probe(&self, head: &[u8], status: u16) -> Option<String> {
        let known = self.asked();
        let mut client = self.sent(head).await;
        let method = if head.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
        let refusal = client.try_read_response(method).await;
        let closing = refusal.as_ref().and_then(|refusal| refusal.header("connection")) == Some("close");
        if closing {
            client.expect_closed().await;
        }
        let asked = self.asked() - known;
        let found = refusal.map(|refusal| (refusal.status, refusal.cache_status().to_owned(), closing));
        let wanted = (status, "evergate; detail=refused".to_owned(), true);
        let what = head[..head.len().min(200)].escape_ascii();
        (asked > 0 || found.as_ref() != Some(&wanted)).then(|| {
            format!("{what}\n    should be refused with {status} and closed; the answer is {found:?}, the handler was asked {asked} times")
        })
    }

    /// Sends all of these with another request behind each, and expects refusals and nothing else.
    async fn refuses(&self, probes: impl IntoIterator<Item = (Vec<u8>, u16)>) {
        let mut wrong = Vec::new();
        for (head, status) in probes {
            wrong.extend(self.probe(&head, status).await);
        }
        assert!(wrong.is_empty(), "{} probes were not refused as they should be:\n{}", wrong.len(), wrong.join("\n"));
        self.is_well().await;
    }

    /// Each head at each place.
    async fn refuses_heads(&self, heads: &[Head]) {
        let everywhere = |(head, status): &Head| PLACES.map(|place| (at(place, head), *status));
        self.refuses(heads.iter().flat_map(everywhere)).await;
    }

    /// Each of these lines in a head that is good without it, at each place.
    async fn refuses_lines(&self, rows: &[Lines]) {
        let starts = [&b"GET PATH HTTP/1.1\r\nhost: a\r\n"[..], b"POST PATH HTTP/1.1\r\nhost: a\r\n"];
        let both = |(lines, status): &Lines| starts.map(|start| ([start, lines, b"\r\n"].concat(), *status));
        let heads: Vec<(Vec<u8>, u16)> = rows.iter().flat_map(both).collect();
        let everywhere = |(head, status): &(Vec<u8>, u16)| PLACES.map(|place| (at(place, head), *status));
        self.refuses(heads.iter().flat_map(everywhere)).await;
    }

    /// The probes left nothing behind: the page in memory is the same, and everybody else is served.
    async fn is_well(&self) {
        for (place, x_cache) in PLACES.iter().zip(["HIT", "MISS", "PASS", "PASS"]) {
            let answer = get(self.gateway.address(), place).await;
            assert_eq!((answer.text(), answer.x_cache()), (format!("GET {place}").as_str(), x_cache));
        }
    }
}

/// A head with its path in place.
fn at(place: &str, head: &[u8]) -> Vec<u8> {
    match head.windows(4).position(|window| window == b"PATH") {
        Some(start) => [&head[..start], place.as_bytes(), &head[start + 4..]].concat(),
        None => head.to_vec(),
    }
}

#[tokio::test]
async fn promise_9_lengths_that_conflict_or_repeat_are_refused() {
    Probed::start().await.refuses_lines(LENGTHS).await;
}

#[tokio::test]
async fn promise_9_codings_other_than_chunked_are_refused() {
    Probed::start().await.refuses_lines(CODINGS).await;
    // Before HTTP/1.1 there were no codings, so whoever sends one there has a framing of its own.
    let chunked = b"POST PATH HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    Probed::start().await.refuses_heads(&[(chunked, 400)]).await;
}

#[tokio::test]
async fn promise_9_fields_that_are_not_lines_of_name_and_value_are_refused() {
    Probed::start().await.refuses_lines(FIELDS).await;
}

#[tokio::test]
async fn promise_9_hosts_that_are_missing_repeated_or_none_are_refused() {
    Probed::start().await.refuses_heads(HOSTS).await;
}

#[tokio::test]
async fn promise_9_request_lines_and_versions_are_read_by_the_letter() {
    let probed = Probed::start().await;
    probed.refuses_heads(REQUEST_LINES).await;
    // Before there was a version there was no head either: the visitor ends, and nobody was asked.
    let mut ancient = Client::connect(probed.gateway.address()).await;
    let known = probed.origin.count("/*");
    ancient.send_raw("GET /unmatched/page\r\n").await;
    ancient.finish_sending().await;
    ancient.expect_closed().await;
    assert_eq!(probed.origin.count("/*"), known);
}

#[tokio::test]
async fn promise_9_targets_that_servers_read_in_two_ways_are_refused() {
    Probed::start().await.refuses_heads(TARGETS).await;
}

#[tokio::test]
async fn promise_9_heads_beyond_the_limits_are_refused_and_those_within_are_not() {
    let probed = Probed::start().await;
    let head = |target: &str, lines: &str| format!("GET {target} HTTP/1.1\r\nhost: a\r\n{lines}\r\n").into_bytes();
    // The targets and the heads of just these lengths are the longest that are served.
    let target = |place: &str, length: usize| format!("{place}?{}", "q".repeat(length - place.len() - 1));
    let long = |place: &str, length: usize| {
        let rest = head(place, "x: \r\n").len();
        head(place, &format!("x: {}\r\n", "y".repeat(length - rest)))
    };
    let beyond = PLACES.iter().flat_map(|place| {
        [
            (head(&target(place, 16 * 1024 + 1), ""), 414),
            (head(&target(place, 100 * 1024), ""), 414),
            (long(place, 64 * 1024 + 1), 431),
            (long(place, 1024 * 1024), 431),
            // With the host, one field too many.
            (head(place, &"x: y\r\n".repeat(128)), 431),
        ]
    });
    probed.refuses(beyond).await;
    for place in &PLACES[2..] {
        let served =
            [head(&target(place, 16 * 1024), ""), long(place, 64 * 1024), head(place, &"x: y\r\n".repeat(127))];
        for head in served {
            let mut client = Client::connect(probed.gateway.address()).await;
            client.send_raw(&head).await;
            assert_eq!(client.read_response("GET").await.status, 200, "{place}: {} bytes", head.len());
        }
    }
}

#[tokio::test]
async fn what_is_unusual_but_clear_is_served() {
    let probed = Probed::start().await;
    let heads: [&[u8]; 9] = [
        b"GET PATH HTTP/1.1\r\nhost:a\r\n\r\n",
        b"GET PATH HTTP/1.1\r\nHOST: \t A.Example:8080 \t\r\n\r\n",
        b"GET PATH HTTP/1.1\r\nhost: [::1]:80\r\n\r\n",
        b"GET PATH HTTP/1.0\r\n\r\n",
        b"\r\nGET PATH HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET http://aPATH HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET HTTP://A:80PATH HTTP/1.1\r\nhost: a:80\r\n\r\n",
        b"GET PATH HTTP/1.1\r\nhost: a\r\nx: caf\xe9\r\nx:\r\ncontent-length: 0\r\n\r\n",
        b"GET PATH HTTP/1.1\r\nhost: a\r\n!#$%&'*+-.^_`|~: 1\r\n\r\n",
    ];
    for place in PLACES {
        for head in heads {
            let mut client = Client::connect(probed.gateway.address()).await;
            client.send_raw(at(place, head)).await;
            let answer: Response = client.read_response("GET").await;
            let found = (answer.status, answer.text().to_owned());
            assert_eq!(found, (200, format!("GET {place}")), "{}", head.escape_ascii());
        }
    }
}
