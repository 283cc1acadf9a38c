//! Ranges: the parts of a page that visitors ask for are cut from what is stored and from what is being filled, while the
//! handler is asked for all of it; where the handler decides, nothing stored means that it decides on parts too (RFC 9110
//! sections 13.1.5, 14 and 15.3.7). Pages that are not stored, not whole
//! or stale are in `cold`, parts that are guarded by `If-Range` in `guarded`.

mod cold;
mod guarded;

use evergate_tests::{Client, Gateway, Http2Client, Origin, Reply, Response, until};

/// Header lines.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// A route that is kept, two that are kept for a second and then stale or gone, and one where the handler decides.
const ROUTES: &str = "- { path: '/kept/[page]', revalidate: 1h }\n- { path: '/aging/[page]', revalidate: 1 }\n\
                      - { path: '/brief/[page]', revalidate: 1, expire: 1 }\n\
                      - { path: '/origin/[page]', revalidate: origin }";

/// A page on a route of each kind.
const PLACES: [&str; 2] = ["/kept/page", "/origin/page"];

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// Fields that differ from one answer to the next, whatever is asked for; the framework dates what goes over HTTP/2.
const OF_THE_MOMENT: [&str; 4] = ["age", "cache-status", "connection", "date"];

/// How long the page is.
const LENGTH: usize = 2000;

/// A page in which every place can be told from every other.
fn body() -> Vec<u8> {
    (0..).flat_map(|number: u32| format!("{number:04} ").into_bytes()).take(LENGTH).collect()
}

/// The page with both validators, which its handler lets be kept.
fn page() -> Reply {
    let reply = Reply::ok(body()).header("content-type", "text/plain").header("cache-control", "max-age=3600");
    reply.header("etag", "\"v1\"").header("last-modified", MODIFIED)
}

/// An origin whose every page is this one, behind a gateway that speaks HTTP/2 too.
async fn start() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |_| page());
    let config = Gateway::simple_config(&origin, ROUTES).replace("127.0.0.1:0\" }]", "127.0.0.1:0\", h2c: true }]");
    let gateway = Gateway::start(&config).await;
    (origin, gateway)
}

/// A GET by a visitor of its own.
async fn visit(gateway: &Gateway, target: &str, lines: Lines<'_>) -> Response {
    Client::connect(gateway.address()).await.get_with(target, lines).await
}

/// A GET of a part.
async fn part(gateway: &Gateway, target: &str, range: &str) -> Response {
    visit(gateway, target, &[("range", range)]).await
}

/// Asserts that an answer is the part of the page from `first` to `last` and nothing else.
fn is_part(answer: &Response, first: usize, last: usize, what: &str) {
    assert_eq!((answer.status, answer.complete), (206, true), "{what}: {answer:?}");
    assert_eq!(answer.body, body()[first..=last], "{what}");
    assert_eq!(answer.all("content-range"), [format!("bytes {first}-{last}/{LENGTH}")], "{what}");
    assert_eq!(answer.all("content-length"), [(last - first + 1).to_string()], "{what}");
    assert_eq!((answer.header("transfer-encoding"), answer.header("content-encoding")), (None, None), "{what}");
}

/// Asserts that an answer is the whole page.
fn is_whole(answer: &Response, what: &str) {
    assert_eq!((answer.status, answer.complete), (200, true), "{what}");
    assert!(answer.body == body(), "{what}: {} bytes", answer.body.len());
    assert_eq!(answer.header("content-range"), None, "{what}");
}

/// A `Range` and the one part that it asks for.
const SINGLE: [(&str, usize, usize); 20] = [
    // RFC 9110 section 14.1.2: from one position to another, to the end, and so many bytes before the end.
    ("bytes=0-499", 0, 499),
    ("bytes=500-999", 500, 999),
    ("bytes=0-0", 0, 0),
    ("bytes=1999-1999", 1999, 1999),
    ("bytes=1500-", 1500, 1999),
    ("bytes=0-", 0, 1999),
    ("bytes=-500", 1500, 1999),
    ("bytes=-1", 1999, 1999),
    // What lies beyond the end is left out, however far that is.
    ("bytes=1990-2000", 1990, 1999),
    ("bytes=1990-18446744073709551616", 1990, 1999),
    ("bytes=1990-99999999999999999999999999", 1990, 1999),
    ("bytes=-2001", 0, 1999),
    ("bytes=-99999999999999999999999999", 0, 1999),
    // Section 14.1: units are compared without regard to case; section 5.6.1: empty elements mean nothing.
    ("Bytes=5-6", 5, 6),
    ("bytes=5-6,", 5, 6),
    ("bytes=,, 5-6 ,", 5, 6),
    // Section 15.3.7.2: what is near each other may be sent as one, and what cannot be satisfied is left out.
    ("bytes=0-9,10-19", 0, 19),
    ("bytes=100-199,150-249", 100, 249),
    ("bytes=2000-,7-8", 7, 8),
    ("bytes=7-8,-0", 7, 8),
];

#[tokio::test]
async fn one_part_is_cut_from_what_is_stored() {
    let (origin, gateway) = start().await;
    for place in PLACES {
        assert_eq!(visit(&gateway, place, &[]).await.x_cache(), "MISS");
        // One connection: a part whose end is misjudged would spoil the next.
        let mut client = Client::connect(gateway.address()).await;
        let whole = client.get(place).await;
        for (range, first, last) in SINGLE {
            let what = format!("{place} {range}");
            let answer = client.get_with(place, &[("range", range)]).await;
            is_part(&answer, first, last, &what);
            assert_eq!(answer.x_cache(), "HIT", "{what}");
            assert!(answer.cache_status().starts_with("evergate; hit; ttl=3"), "{what}: {}", answer.cache_status());
            assert!(answer.age().is_some(), "{what}");
            // Section 15.3.7: what the 200 would have told is told.
            let apart = [&OF_THE_MOMENT[..], &["content-length", "content-range"]].concat();
            assert_eq!(answer.headers_without(&apart), whole.headers_without(&apart), "{what}");
        }
        is_whole(&client.get(place).await, place);
        assert_eq!(origin.count(place), 1);
    }
}

/// Lines with a `Range` that is ignored (RFC 9110 section 14.2).
const IGNORED: [Lines<'static>; 22] = [
    &[("range", "")],
    &[("range", "bytes")],
    &[("range", "bytes=")],
    &[("range", "bytes=,")],
    &[("range", "bytes=-")],
    &[("range", "bytes=5")],
    &[("range", "bytes=a-b")],
    &[("range", "bytes=0x1-2")],
    &[("range", "bytes=+1-2")],
    &[("range", "bytes=--1")],
    &[("range", "bytes=1 - 2")],
    &[("range", "bytes=1-2;q=1")],
    &[("range", "bytes 1-2")],
    &[("range", "1-2")],
    // Section 14.1.2: the last position is not before the first, and a set with one such range is invalid.
    &[("range", "bytes=6-5")],
    &[("range", "bytes=0-1,6-5")],
    // Section 14.1: units that are not known.
    &[("range", "items=0-1")],
    &[("range", "none=0-1")],
    &[("range", "bytes=0-1"), ("range", "bytes=0-1")],
    // Section 14.2: many small ranges, and several that are no cheaper than the whole.
    &[(
        "range",
        "bytes=0-0,200-200,400-400,600-600,800-800,1000-1000,1200-1200,1400-1400,1600-1600,1800-1800,\
        1-1,201-201,401-401,601-601,801-801,1001-1001,1201-1201",
    )],
    &[("range", "bytes=0-999,1000-1999")],
    &[("range", "bytes=0-950,1040-1999")],
];

#[tokio::test]
async fn what_is_malformed_or_not_worth_it_is_ignored() {
    let (origin, gateway) = start().await;
    for place in PLACES {
        visit(&gateway, place, &[]).await;
        let mut client = Client::connect(gateway.address()).await;
        let whole = client.get(place).await;
        for lines in IGNORED {
            let answer = client.get_with(place, lines).await;
            is_whole(&answer, &format!("{place} {lines:?}"));
            assert_eq!(answer.x_cache(), "HIT", "{lines:?}");
            assert_eq!(answer.headers_without(&OF_THE_MOMENT), whole.headers_without(&OF_THE_MOMENT), "{lines:?}");
        }
        assert_eq!(origin.count(place), 1);
    }
}

/// Asserts that an answer holds exactly these parts, in this order (RFC 9110 sections 14.6 and 15.3.7.2); its boundary.
fn are_parts(answer: &Response, parts: &[(usize, usize)]) -> String {
    assert_eq!((answer.status, answer.complete, answer.x_cache()), (206, true, "HIT"), "{answer:?}");
    assert_eq!(answer.header("content-range"), None, "each part has its own");
    let types = answer.all("content-type");
    assert_eq!(types.len(), 1, "{types:?}");
    let boundary = types[0].strip_prefix("multipart/byteranges; boundary=").unwrap_or_default();
    assert!((16..=70).contains(&boundary.len()), "{types:?}");
    let mut expected = Vec::new();
    for (first, last) in parts {
        let range = format!("Content-Range: bytes {first}-{last}/{LENGTH}");
        expected.extend(format!("--{boundary}\r\nContent-Type: text/plain\r\n{range}\r\n\r\n").into_bytes());
        expected.extend_from_slice(&body()[*first..=*last]);
        expected.extend_from_slice(b"\r\n");
    }
    expected.extend(format!("--{boundary}--\r\n").into_bytes());
    assert_eq!(String::from_utf8_lossy(&answer.body), String::from_utf8_lossy(&expected));
    assert_eq!(answer.all("content-length"), [expected.len().to_string()]);
    boundary.to_owned()
}

/// Several parts, in the order in which they are asked for.
const SEVERAL: [(&str, &[(usize, usize)]); 4] = [
    ("bytes=0-9,1000-1009", &[(0, 9), (1000, 1009)]),
    ("bytes=1000-1009, 0-9,-10", &[(1000, 1009), (0, 9), (1990, 1999)]),
    ("bytes=0-9,5000-,1000-1009,1005-1019", &[(0, 9), (1000, 1019)]),
    ("bytes=500-599,0-99,1500-,2000-,300-310", &[(500, 599), (0, 99), (1500, 1999), (300, 310)]),
];

#[tokio::test]
async fn several_parts_come_in_one_body() {
    let (origin, gateway) = start().await;
    for place in PLACES {
        visit(&gateway, place, &[]).await;
        let mut client = Client::connect(gateway.address()).await;
        let streams = Http2Client::connect(gateway.address()).await;
        let whole = client.get(place).await;
        let mut boundaries = Vec::new();
        for (range, parts) in SEVERAL {
            for protocol in [1, 2] {
                let lines = [("range", range)];
                let answer = match protocol {
                    1 => client.get_with(place, &lines).await,
                    _ => streams.request("GET", place, &lines, "").await,
                };
                boundaries.push(are_parts(&answer, parts));
                let apart = [&OF_THE_MOMENT[..], &["content-length", "content-type"]].concat();
                assert_eq!(answer.headers_without(&apart), whole.headers_without(&apart), "{range}");
            }
        }
        // Who could foresee a boundary could write one into the page (RFC 2046 section 5.1.1).
        let count = boundaries.len();
        boundaries.sort_unstable();
        boundaries.dedup();
        assert_eq!((boundaries.len(), origin.count(place)), (count, 1));
    }
}

#[tokio::test]
async fn what_the_page_does_not_have_is_416_with_its_length() {
    let (origin, gateway) = start().await;
    origin.on("/kept/empty", |_| Reply::ok(""));
    visit(&gateway, "/kept/empty", &[]).await;
    let empty = part(&gateway, "/kept/empty", "bytes=0-").await;
    assert_eq!((empty.status, empty.header("content-range")), (416, Some("bytes */0")));
    for place in PLACES {
        visit(&gateway, place, &[]).await;
        let mut client = Client::connect(gateway.address()).await;
        let streams = Http2Client::connect(gateway.address()).await;
        for range in ["bytes=2000-", "bytes=2000-2000", "bytes=-0", "bytes=5000-,-0", "bytes=99999999999999999999-"] {
            for answer in [
                client.get_with(place, &[("range", range)]).await,
                streams.request("GET", place, &[("range", range)], "").await,
            ] {
                // RFC 9110 section 15.5.17.
                assert_eq!((answer.status, answer.complete, answer.x_cache()), (416, true, "HIT"), "{range}");
                assert_eq!(answer.all("content-range"), ["bytes */2000"], "{range}");
                assert_eq!((answer.body.len(), answer.header("content-type")), (0, None), "{range}");
            }
        }
        is_whole(&client.get(place).await, place);
        assert_eq!(origin.count(place), 1);
    }
    for (route, hits) in [("/kept/[page]", 11.0), ("/origin/[page]", 10.0)] {
        let refused = [("route", route), ("method", "GET"), ("status", "4xx"), ("cache", "hit")];
        until("every 416 is counted", async || gateway.metric("evergate_requests_total", &refused).await == hits).await;
    }
}

#[tokio::test]
async fn only_a_get_of_a_success_has_parts() {
    let (origin, gateway) = start().await;
    origin.on("/kept/gone", |_| Reply::ok(body()).status(404));
    for place in PLACES {
        visit(&gateway, place, &[]).await;
        let mut client = Client::connect(gateway.address()).await;
        // RFC 9110 section 14.2: no other method knows ranges.
        for range in ["bytes=0-1", "bytes=5000-"] {
            let head = client.request("HEAD", place, &[("range", range)], "").await;
            assert_eq!((head.status, head.x_cache(), head.body.len()), (200, "HIT", 0), "{place}");
            assert_eq!((head.header("content-length"), head.header("content-range")), (Some("2000"), None));
        }
        // Section 13.2.2: whoever has the page already gets no part of it.
        let range = ("range", "bytes=0-1");
        for condition in [("if-none-match", "\"v1\""), ("if-none-match", "W/\"v1\""), ("if-modified-since", MODIFIED)] {
            let has_it = client.get_with(place, &[range, condition, ("if-range", "\"v1\"")]).await;
            assert_eq!((has_it.status, has_it.header("content-range")), (304, None), "{condition:?}");
        }
        is_part(&client.get_with(place, &[range, ("if-none-match", "\"v2\"")]).await, 0, 1, place);
        let (if_match, passed) = (client.get_with(place, &[range, ("if-match", "\"v1\"")]).await, place != PLACES[0]);
        assert_eq!((if_match.x_cache() == "PASS", if_match.status == 206), (passed, !passed), "{place}");
    }
    for x_cache in ["MISS", "HIT"] {
        let gone = part(&gateway, "/kept/gone", "bytes=0-1").await;
        assert_eq!((gone.status, gone.x_cache(), gone.body.len()), (404, x_cache, LENGTH));
    }
}

#[tokio::test]
async fn whether_there_are_parts_is_told_where_the_gateway_may_add() {
    let (origin, gateway) = start().await;
    // RFC 9110 section 14.3; where the handler decides, nothing is added to what it says.
    for (place, told) in [("/kept/page", &["bytes"][..]), ("/origin/page", &[])] {
        visit(&gateway, place, &[]).await;
        assert_eq!(visit(&gateway, place, &[]).await.all("accept-ranges"), told, "{place}");
        assert_eq!(part(&gateway, place, "bytes=0-1").await.all("accept-ranges"), told, "{place}");
    }
    for place in ["/kept/own", "/origin/own"] {
        origin.on(place, |_| page().header("accept-ranges", "bytes"));
        for _ in 0..2 {
            assert_eq!(visit(&gateway, place, &[]).await.all("accept-ranges"), ["bytes"], "{place}");
        }
    }
    origin.on("/kept/gone", |_| Reply::ok("gone").status(404));
    for x_cache in ["MISS", "HIT"] {
        let gone = visit(&gateway, "/kept/gone", &[]).await;
        assert_eq!((gone.x_cache(), gone.header("accept-ranges")), (x_cache, None));
    }
    // A handler that wants none of it has its way, the first time as well.
    for (place, first) in [("/kept/none", "MISS"), ("/origin/none", "PASS")] {
        origin.on(place, |_| page().header("accept-ranges", "none"));
        let refused = part(&gateway, place, "bytes=0-1").await;
        assert_eq!((refused.x_cache(), refused.header("accept-ranges")), (first, Some("none")), "{place}");
        is_whole(&refused, place);
        visit(&gateway, place, &[]).await;
        let refused = part(&gateway, place, "bytes=0-1").await;
        assert_eq!((refused.x_cache(), refused.header("accept-ranges")), ("HIT", Some("none")), "{place}");
        is_whole(&refused, place);
    }
}

#[tokio::test]
async fn parts_are_of_the_identity_whatever_coding_is_accepted() {
    let (origin, gateway) = start().await;
    for place in PLACES {
        visit(&gateway, place, &[]).await;
        let gzip = ("accept-encoding", "gzip, br");
        until("the page is coded", async || visit(&gateway, place, &[gzip]).await.header("content-encoding").is_some())
            .await;
        for (range, first, last) in SINGLE {
            let answer = visit(&gateway, place, &[gzip, ("range", range)]).await;
            is_part(&answer, first, last, &format!("{place} {range}"));
            // The tag of the bytes that they are of.
            assert_eq!((answer.all("etag"), answer.all("vary").len()), (vec!["\"v1\""], 1), "{place} {range}");
        }
        // What was coded has a weak tag, which guards no parts: the visitor gets the whole in the coding that it has.
        let coded = visit(&gateway, place, &[gzip, ("range", "bytes=0-1"), ("if-range", "W/\"v1\"")]).await;
        assert_eq!((coded.status, coded.all("etag")), (200, vec!["W/\"v1\""]));
        assert!(coded.header("content-encoding").is_some() && coded.header("accept-ranges").is_none(), "{coded:?}");
        let several = visit(&gateway, place, &[gzip, ("range", SEVERAL[0].0)]).await;
        are_parts(&several, SEVERAL[0].1);
        assert_eq!(origin.count(place), 1);
    }
}
