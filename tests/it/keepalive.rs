//! Connections that go on: cached and passed requests alternate on one, in any order and in one write, and every answer
//! belongs to its question. What each of them is worth is the business of other modules (promise 7 for the bodies of hits);
//! how they end when the gateway does is in `stop`.

mod stop;

use std::net::SocketAddr;

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Response, get, until};
use tokio::task::JoinSet;

/// `/warm/*` has been fetched, `/cold/*` has not; both are kept. `/live/*` and whatever has no route passes.
const ROUTES: &str = " [{ path: '/warm/[page]', revalidate: 1h }, { path: '/cold/[...page]', revalidate: 1h }, { path: '/live/[page]' }]";

/// A request and what must come of it: method, target, lines, body as it is sent; then status, `x-cache` and body.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    method: &'static str,
    /// `#` is replaced, so that no two requests of a test are alike.
    target: &'static str,
    lines: &'static str,
    body: &'static str,
    status: u16,
    x_cache: &'static str,
    answer: &'static str,
}

const HIT: Exchange = Exchange {
    method: "GET",
    target: "/warm/page",
    lines: "",
    body: "",
    status: 200,
    x_cache: "HIT",
    answer: "GET /warm/page ",
};

const EXCHANGES: [Exchange; 17] = [
    HIT,
    Exchange { method: "HEAD", answer: "", ..HIT },
    Exchange { lines: "if-none-match: *\r\n", status: 304, answer: "", ..HIT },
    Exchange { target: "/warm/large", answer: "large", ..HIT },
    Exchange { target: "/cold/#", x_cache: "MISS", answer: "GET /cold/# ", ..HIT },
    Exchange { method: "HEAD", target: "/cold/head/#", x_cache: "MISS", answer: "", ..HIT },
    Exchange { target: "/cold/stream/#", x_cache: "MISS", answer: "streamed /cold/stream/#", ..HIT },
    Exchange { target: "/live/get?#", x_cache: "PASS", answer: "GET /live/get?# ", ..HIT },
    Exchange { target: "/live/stream?#", x_cache: "PASS", answer: "streamed /live/stream?#", ..HIT },
    Exchange { target: "/live/empty?#", status: 204, x_cache: "PASS", answer: "", ..HIT },
    Exchange { method: "HEAD", target: "/none/head?#", x_cache: "PASS", answer: "", ..HIT },
    Exchange { method: "HEAD", target: "/live/stream?#", x_cache: "PASS", answer: "", ..HIT },
    Exchange { target: "/live/known?#", status: 304, x_cache: "PASS", answer: "", ..HIT },
    Exchange { target: "/live/last?#", x_cache: "PASS", answer: "the last", ..HIT },
    Exchange {
        method: "POST",
        target: "/warm/page?#",
        lines: "content-length: 9\r\n",
        body: "by length",
        x_cache: "PASS",
        answer: "POST /warm/page?# by length",
        ..HIT
    },
    Exchange {
        method: "PUT",
        target: "/none/put?#",
        lines: "transfer-encoding: chunked\r\n",
        body: "3\r\nby \r\n6;x=y\r\nchunks\r\n0\r\nx: y\r\n\r\n",
        x_cache: "PASS",
        answer: "PUT /none/put?# by chunks",
        ..HIT
    },
    Exchange {
        target: "/warm/page?#",
        lines: "content-length: 4\r\n",
        body: "GET ",
        x_cache: "PASS",
        answer: "GET /warm/page?# GET ",
        ..HIT
    },
];

impl Exchange {
    /// The request as it is sent.
    fn request(&self, number: usize) -> String {
        let Exchange { method, target, lines, body, .. } = self;
        let target = target.replace('#', &number.to_string());
        format!("{method} {target} HTTP/1.1\r\nhost: a\r\n{lines}\r\n{body}")
    }

    /// Reads the answer and finds that it is the right one.
    async fn answered(&self, client: &mut Client, number: usize, what: &str) {
        let answer = client.read_response(self.method).await;
        let expected = match self.answer {
            "large" => large(),
            answer => answer.replace('#', &number.to_string()),
        };
        let found = (answer.status, answer.x_cache(), answer.complete);
        assert_eq!(found, (self.status, self.x_cache, true), "{what}: {self:?}");
        assert!(answer.text() == expected, "{what}: {self:?}: {:.200}", answer.text());
        assert_ne!(answer.header("connection"), Some("close"), "{what}: {self:?}");
    }
}

/// A body of many reads and writes.
fn large() -> String {
    "0123456789abcdef".repeat(20_000)
}

/// An origin that says what it was asked, and a gateway before it with its warm pages in memory.
async fn start() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |seen| {
        let body = String::from_utf8_lossy(&seen.body);
        Reply::ok(format!("{} {} {body}", seen.method, seen.target))
    });
    let streamed = |target: &str| Reply::ok("").chunks(["streamed ", target]);
    origin.on("/cold/stream/*", move |seen| streamed(&seen.target));
    origin.on("/live/stream", move |seen| streamed(&seen.target));
    origin.on("/live/empty", |_| Reply::ok("").status(204));
    // Neither has a body, whatever its fields say of the one that a GET or a 200 would have.
    origin.on("/live/known", |_| Reply::ok("").status(304).header("content-length", "10"));
    // The handler's connection ends, the visitor's need not.
    origin.on("/live/last", |_| Reply::ok("the last").header("connection", "close"));
    origin.on("/warm/large", |_| Reply::ok(large()));
    let gateway = Gateway::simple(&origin, ROUTES).await;
    for warm in ["/warm/page", "/warm/large"] {
        assert_eq!(get(gateway.address(), warm).await.x_cache(), "MISS");
    }
    (origin, gateway)
}

/// Sends these requests in one write over a new connection and finds the right answers to them.
async fn pipelined(address: SocketAddr, exchanges: &[Exchange], first: usize) {
    let numbered = || exchanges.iter().zip(first..);
    let requests: String = numbered().map(|(exchange, number)| exchange.request(number)).collect();
    let mut client = Client::connect(address).await;
    client.send_raw(requests).await;
    for (exchange, number) in numbered() {
        exchange.answered(&mut client, number, &format!("{first} pipelined")).await;
    }
    // Nothing is left over, and the connection is still good.
    assert_eq!(client.get("/warm/page").await.text(), HIT.answer);
}

/// Waits until the gateway has surely had its turn with what was sent before: it has answered somebody who came later.
async fn has_read(address: SocketAddr) {
    for _ in 0..2 {
        assert_eq!(get(address, "/warm/page").await.status, 200);
    }
}

#[tokio::test]
async fn cached_and_passed_requests_alternate_on_one_connection() {
    let (_origin, gateway) = start().await;
    let mut client = Client::connect(gateway.address()).await;
    for round in 0..3 {
        // Each round in another order: forwards, backwards, and every third.
        for place in 0..EXCHANGES.len() {
            let last = EXCHANGES.len() - 1;
            let exchange = EXCHANGES[[place, last - place, place * 3 % EXCHANGES.len()][round]];
            let number = round * EXCHANGES.len() + place;
            client.send_raw(exchange.request(number)).await;
            exchange.answered(&mut client, number, &format!("round {round}")).await;
        }
    }
}

#[tokio::test]
async fn pipelined_requests_of_every_kind_are_answered_in_order() {
    let (origin, gateway) = start().await;
    pipelined(gateway.address(), &EXCHANGES, 0).await;
    let backwards: Vec<Exchange> = EXCHANGES.iter().rev().copied().collect();
    pipelined(gateway.address(), &backwards, 100).await;
    assert_eq!(origin.malformed().len(), 0, "{:?}", origin.malformed());
}

#[tokio::test]
async fn every_kind_may_follow_every_other_in_one_write() {
    let (_origin, gateway) = start().await;
    let address = gateway.address();
    let mut pairs = JoinSet::new();
    for (one, first) in EXCHANGES.into_iter().enumerate() {
        pairs.spawn(async move {
            for (other, second) in EXCHANGES.into_iter().enumerate() {
                pipelined(address, &[first, second], 1000 * (one + 1) + 10 * other).await;
            }
        });
    }
    pairs.join_all().await;
}

#[tokio::test]
async fn a_pipelined_pair_may_be_split_at_every_byte() {
    let (_origin, gateway) = start().await;
    let address = gateway.address();
    let [hit, post, put, body] = [0, 14, 15, 16].map(|at| EXCHANGES[at]);
    for (pair, [first, second]) in [[post, hit], [put, post], [hit, put], [body, put]].into_iter().enumerate() {
        let number = |at: usize| 1000 * (pair + 1) + at;
        let written = |at: usize| first.request(number(at)) + &second.request(number(at));
        let length = written(0).len();
        let mut clients = Vec::new();
        for at in 1..length {
            let mut client = Client::connect(address).await;
            let bytes = written(at);
            client.send_raw(&bytes.as_bytes()[..at.min(bytes.len())]).await;
            clients.push((at, client));
        }
        has_read(address).await;
        for (at, client) in &mut clients {
            let bytes = written(*at);
            client.send_raw(&bytes.as_bytes()[(*at).min(bytes.len())..]).await;
        }
        for (at, client) in &mut clients {
            let what = format!("pair {pair} split at {at}");
            first.answered(client, number(*at), &what).await;
            second.answered(client, number(*at), &what).await;
        }
    }
}

#[tokio::test]
async fn a_body_may_come_in_pieces_between_cached_requests() {
    let (origin, gateway) = start().await;
    let mut client = Client::connect(gateway.address()).await;
    let seen = |method: &'static str| {
        let seen = origin.seen("/live/pieces").into_iter().find(|seen| seen.method == method);
        seen.map(|seen| String::from_utf8_lossy(&seen.body).into_owned()).unwrap_or_default()
    };
    for (method, framing, pieces) in [
        ("POST", "content-length: 12", ["one ", "two ", "four"]),
        ("PUT", "transfer-encoding: chunked", ["4\r\none \r\n", "4\r\ntwo \r\n", "4\r\nfour\r\n0\r\n\r\n"]),
    ] {
        client.send_raw(format!("{method} /live/pieces HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n")).await;
        for (piece, so_far) in pieces.into_iter().zip(["one ", "one two ", "one two four"]) {
            client.send_raw(piece).await;
            // The handler has this piece while the visitor still keeps the next.
            until("the piece has come", || seen(method) == so_far).await;
        }
        let answer = client.read_response(method).await;
        assert_eq!(answer.text(), format!("{method} /live/pieces one two four"));
        assert_eq!(client.get("/warm/page").await.x_cache(), "HIT");
    }
}

#[tokio::test]
async fn who_expects_100_continue_gets_it_before_the_body() {
    let (_origin, gateway) = start().await;
    let mut client = Client::connect(gateway.address()).await;
    for target in ["/warm/page", "/live/page", "/none/page"] {
        let lines = "content-length: 4\r\nexpect: 100-continue\r\n";
        client.send_raw(format!("POST {target} HTTP/1.1\r\nhost: a\r\n{lines}\r\n")).await;
        assert_eq!(client.read_interim().await.status, 100, "{target}");
        client.send_raw("body").await;
        let answer = client.read_response("POST").await;
        assert_eq!((answer.status, answer.text()), (200, format!("POST {target} body").as_str()));
        assert!(answer.interim.is_empty(), "one invitation is enough: {target}");
        // A visitor who does not wait is served as well, and one without a body has nothing to wait for.
        let answer = client.request("POST", target, &[("expect", "100-continue")], "eager").await;
        assert_eq!(answer.text(), format!("POST {target} eager"));
        let answer = client.get_with(target, &[("expect", "100-continue")]).await;
        assert_eq!((answer.status, answer.text()), (200, format!("GET {target} ").as_str()));
        assert_eq!(client.get("/warm/page").await.x_cache(), "HIT");
    }
}

#[tokio::test]
async fn http_1_0_closes_unless_asked_to_go_on() {
    let (origin, gateway) = start().await;
    let request = |target: &str, lines: &str| format!("GET {target} HTTP/1.0\r\n{lines}\r\n");
    let good = |answer: &Response, target: &str, connection: &str| {
        assert_eq!(answer.status, 200, "{target}");
        assert_eq!(answer.header("transfer-encoding"), None, "HTTP/1.0 knows no chunks: {target}");
        let closing = answer.header("connection").map(str::to_ascii_lowercase);
        assert_eq!(closing.as_deref(), Some(connection), "{target}: {answer:?}");
    };
    let targets = ["/warm/page", "/cold/old", "/live/page", "/none/page"];
    for target in targets {
        let mut client = Client::connect(gateway.address()).await;
        client.send_raw(request(target, "")).await;
        let answer = client.read_response("GET").await;
        good(&answer, target, "close");
        assert_eq!(answer.text(), format!("GET {target} "));
        client.expect_closed().await;
    }
    let mut client = Client::connect(gateway.address()).await;
    for target in targets {
        client.send_raw(request(target, "connection: keep-alive\r\n")).await;
        good(&client.read_response("GET").await, target, "keep-alive");
    }
    // What has no length yet ends with the connection.
    for target in ["/cold/held", "/live/held"] {
        let gate = Gate::new();
        let reply = Reply::ok("").chunks(["streamed ", target]).gate_after(1, &gate);
        origin.on(target, move |_| reply.clone());
        let mut client = Client::connect(gateway.address()).await;
        client.send_raw(request(target, "connection: keep-alive\r\n")).await;
        let head = client.read_head().await;
        good(&head, target, "close");
        gate.open();
        let mut body = Vec::new();
        while let Some((_, piece)) = client.next_chunk().await {
            body.extend_from_slice(&piece);
        }
        assert_eq!((head.header("content-length"), body), (None, format!("streamed {target}").into_bytes()));
    }
}

#[tokio::test]
async fn connection_close_ends_it_and_what_was_pipelined_is_not_served() {
    let (origin, gateway) = start().await;
    for (number, exchange) in EXCHANGES.into_iter().enumerate() {
        let mut client = Client::connect(gateway.address()).await;
        let request = exchange.request(number).replacen("host: a\r\n", "host: a\r\nconnection: x, Close\r\n", 1);
        client.send_raw(request + "GET /live/behind HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let answer = client.read_response(exchange.method).await;
        assert_eq!((answer.status, answer.complete), (exchange.status, true), "{exchange:?}");
        let closing = answer.header("connection").map(str::to_ascii_lowercase);
        assert_eq!(closing.as_deref(), Some("close"), "{exchange:?}");
        client.expect_closed().await;
    }
    assert_eq!(origin.count("/live/behind"), 0);
}

#[tokio::test]
async fn answers_of_the_gateway_itself_leave_the_connection_good() {
    let (_origin, gateway) = start().await;
    let requests = "GET //warm//page HTTP/1.1\r\nhost: a\r\n\r\nHEAD //x HTTP/1.1\r\nhost: a\r\n\r\n".to_owned();
    let mut client = Client::connect(gateway.address()).await;
    client.send_raw(requests + &HIT.request(0)).await;
    let redirect = client.read_response("GET").await;
    assert_eq!((redirect.status, redirect.header("location")), (308, Some("/warm/page")));
    let redirect = client.read_response("HEAD").await;
    assert_eq!((redirect.status, redirect.text()), (308, ""));
    HIT.answered(&mut client, 0, "after redirects").await;
}

#[tokio::test]
async fn a_handler_that_says_too_much_does_not_answer_the_next_request() {
    let (origin, gateway) = start().await;
    let poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    origin.on("/live/more", move |_| Reply::ok(format!("abc{poison}")).header("content-length", "3"));
    origin.on("/cold/more", move |_| Reply::ok(format!("abc{poison}")).header("content-length", "3"));
    origin.on("/live/none", move |_| Reply::raw(format!("HTTP/1.1 204 No Content\r\n\r\n{poison}")));
    let mut client = Client::connect(gateway.address()).await;
    for target in ["/live/more", "/cold/more", "/live/none"] {
        let answer = client.get(target).await;
        let body = if target == "/live/none" { "" } else { "abc" };
        assert_eq!((answer.text(), answer.complete), (body, true), "{target}");
        for next in ["/live/next", "/cold/next", "/none/next"] {
            let next = format!("{next}?after={}", &target[1..5]);
            let mut other = Client::connect(gateway.address()).await;
            assert_eq!(other.get(&next).await.text(), format!("GET {next} "), "after {target}");
            assert_eq!(client.get(&next).await.text(), format!("GET {next} "), "after {target}");
        }
    }
}
