//! Content codings: what a visitor accepts and prefers is made once for each stored page, off anybody's path, and sent from
//! then on (RFC 9110 sections 8.4 and 12.5.3). The same where the handler decides. What becomes of coded pages that are
//! renewed, replaced and too many is in `kept`.

mod kept;

use std::cell::RefCell;
use std::io::Read;

use evergate_tests::{Client, Gateway, Http2Client, Origin, Reply, Response, get, until};

/// Header lines.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// A route that is kept, one that is kept for a second, one where the handler decides, and those that are not coded.
const ROUTES: &str = "- { path: '/kept/[page]', revalidate: 1h }\n- { path: '/aging/[page]', revalidate: 1 }\n\
                      - { path: '/origin/[page]', revalidate: origin }\n\
                      - { path: '/plain/[page]', revalidate: 1h, compress: false }\n\
                      - { path: '/plain-origin/[page]', revalidate: origin, compress: false }\n";

/// A page on a route of each kind.
const PLACES: [&str; 2] = ["/kept/page", "/origin/page"];

/// A text of this length that shrinks, of which every line is another.
fn text(length: usize) -> String {
    let lines = (0..).map(|number: u32| format!("line {number} says {}\n", u64::from(number) * 0x9E37_79B9));
    let mut text: String = lines.take(length / 10 + 1).collect();
    text.truncate(length);
    text
}

/// Bytes that do not shrink (xorshift, Marsaglia 2003).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// The page, which its handler lets be kept.
fn page() -> Reply {
    Reply::ok(text(20_000)).header("content-type", "text/plain; charset=utf-8").header("cache-control", "max-age=3600")
}

/// The same with a strong entity tag.
fn tagged() -> Reply {
    page().header("etag", "\"v1\"")
}

/// An origin whose every page is this one, behind a gateway that speaks HTTP/2 too, with these further settings.
async fn in_front_of(reply: fn() -> Reply, settings: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", move |_| reply());
    let config = Gateway::simple_config(&origin, &format!("{ROUTES}{settings}"));
    let gateway = Gateway::start(&config.replace("127.0.0.1:0\" }]", "127.0.0.1:0\", h2c: true }]")).await;
    (origin, gateway)
}

/// A GET by a visitor of its own who accepts these codings.
async fn accepting(gateway: &Gateway, target: &str, codings: &str) -> Response {
    visit(gateway, target, &[("accept-encoding", codings)]).await
}

/// A GET by a visitor of its own.
async fn visit(gateway: &Gateway, target: &str, lines: Lines<'_>) -> Response {
    Client::connect(gateway.address()).await.get_with(target, lines).await
}

/// The coding in which an answer came.
fn coding(answer: &Response) -> &str {
    answer.header("content-encoding").unwrap_or("identity")
}

/// The body without its coding.
fn decoded(answer: &Response) -> Vec<u8> {
    let body = answer.body.as_slice();
    let mut text = Vec::new();
    match coding(answer) {
        "identity" => text.extend_from_slice(body),
        "gzip" => drop(flate2::read::MultiGzDecoder::new(body).read_to_end(&mut text).expect("gzip")),
        "br" => drop(brotli::Decompressor::new(body, 4096).read_to_end(&mut text).expect("brotli")),
        "zstd" => text = zstd::stream::decode_all(body).expect("zstd"),
        other => panic!("{other} was not asked for"),
    }
    text
}

/// Asks for a page in one coding until it comes in it. Until then it comes as it is.
async fn coded(gateway: &Gateway, target: &str, wanted: &str) -> Response {
    let last = RefCell::new(Response::default());
    until(&format!("{target} comes in {wanted}"), async || {
        let answer = accepting(gateway, target, wanted).await;
        assert!(matches!(coding(&answer), found if found == wanted || found == "identity"), "{answer:?}");
        assert_eq!((answer.status, answer.complete), (200, true), "{target}");
        let done = coding(&answer) == wanted;
        last.replace(answer);
        done
    })
    .await;
    last.into_inner()
}

#[tokio::test]
async fn the_first_who_asks_gets_the_page_as_it_is_and_later_ones_get_it_coded() {
    let (origin, gateway) = in_front_of(tagged, "").await;
    for place in PLACES {
        for (visited, wanted) in ["zstd", "br", "gzip"].into_iter().enumerate() {
            // Nobody waits for a coding: whoever is the first to ask for one gets what there is.
            let first = accepting(&gateway, place, wanted).await;
            assert_eq!(first.x_cache(), if visited == 0 { "MISS" } else { "HIT" }, "{place} {wanted}");
            assert!(coding(&first) == "identity" && first.body == text(20_000).as_bytes(), "{place} {wanted}");
            let later = coded(&gateway, place, wanted).await;
            assert_eq!((later.x_cache(), later.all("content-encoding").len()), ("HIT", 1), "{place} {wanted}");
            assert!(later.body.len() < 10_000, "{wanted} takes {} bytes", later.body.len());
            assert_eq!(later.all("content-length"), [later.body.len().to_string()], "{place} {wanted}");
            assert!(decoded(&later) == text(20_000).as_bytes(), "{place} {wanted}");
            // It was made once: these are the same bytes, told in the same words.
            for _ in 0..3 {
                let again = accepting(&gateway, place, wanted).await;
                assert!(again.body == later.body, "{place} {wanted}");
                let apart = ["age", "cache-status"];
                assert_eq!(again.headers_without(&apart), later.headers_without(&apart), "{place} {wanted}");
            }
        }
        // It is a variant of the page, not another page, and nobody but visitors was told of it.
        assert_eq!(origin.count(place), 1);
    }
    assert_eq!(gateway.metric("evergate_cache_entries", &[]).await, 2.0);
    let seen = |place: &str| origin.seen(place)[0].header("accept-encoding").map(str::to_owned);
    assert_eq!((seen("/kept/page"), seen("/origin/page").as_deref()), (None, Some("zstd")));
}

/// What visitors accept, and what they get of a page that is there in every coding, made in the order zstd, br, gzip.
const ACCEPTED: [(Lines<'static>, &str); 27] = [
    (&[], "identity"),
    (&[("accept-encoding", "")], "identity"),
    (&[("accept-encoding", "gzip")], "gzip"),
    (&[("accept-encoding", "GZip")], "gzip"),
    (&[("accept-encoding", "x-gzip")], "gzip"),
    (&[("accept-encoding", "br")], "br"),
    (&[("accept-encoding", "zstd")], "zstd"),
    (&[("accept-encoding", "deflate, compress")], "identity"),
    (&[("accept-encoding", "identity")], "identity"),
    // Between equals the gateway's order decides.
    (&[("accept-encoding", "gzip, deflate, br, zstd")], "zstd"),
    (&[("accept-encoding", "gzip, br")], "br"),
    (&[("accept-encoding", "gzip"), ("accept-encoding", "br")], "br"),
    (&[("accept-encoding", "*")], "zstd"),
    // RFC 9110 section 12.4.2: the weight counts, and 0 forbids.
    (&[("accept-encoding", "gzip;q=1.0, br;q=0.9, zstd;q=0.8")], "gzip"),
    (&[("accept-encoding", "zstd;q=0.5,br;q=0.6 , gzip; q=0.599")], "br"),
    (&[("accept-encoding", "gzip;q=0.001")], "gzip"),
    (&[("accept-encoding", "gzip;q=0")], "identity"),
    (&[("accept-encoding", "gzip;q=0.000, br;q=0")], "identity"),
    (&[("accept-encoding", "zstd;q=0, *")], "br"),
    (&[("accept-encoding", "*;q=0, gzip")], "gzip"),
    (&[("accept-encoding", "*;q=0")], "identity"),
    (&[("accept-encoding", "identity;q=0, gzip;q=0.1")], "gzip"),
    (&[("accept-encoding", "identity, gzip;q=0.9")], "identity"),
    (&[("accept-encoding", "identity;q=0.5, gzip;q=0.5")], "gzip"),
    // What is malformed is ignored.
    (&[("accept-encoding", "gzip;q=2, br")], "br"),
    (&[("accept-encoding", "gzip;q=0.0001")], "identity"),
    (&[("accept-encoding", "gzip br, zstd;level=3")], "identity"),
];

#[tokio::test]
async fn the_visitors_weights_decide_and_then_the_gateways_order() {
    let (origin, gateway) = in_front_of(tagged, "").await;
    for place in PLACES {
        for wanted in ["zstd", "br", "gzip"] {
            coded(&gateway, place, wanted).await;
        }
        let mut client = Client::connect(gateway.address()).await;
        let streams = Http2Client::connect(gateway.address()).await;
        for (lines, expected) in ACCEPTED {
            let answer = client.get_with(place, lines).await;
            assert_eq!((coding(&answer), answer.x_cache()), (expected, "HIT"), "{place} {lines:?}");
            assert!(decoded(&answer) == text(20_000).as_bytes(), "{place} {lines:?}");
            // HEAD says what GET says (RFC 9110 section 9.3.2), and HTTP/2 what HTTP/1.1 says.
            let head = client.request("HEAD", place, lines, "").await;
            // The framework dates what goes over HTTP/2.
            let apart = ["age", "cache-status", "connection", "date"];
            assert_eq!(head.headers_without(&apart), answer.headers_without(&apart), "{place} {lines:?}");
            let over_2 = streams.request("GET", place, lines, "").await;
            assert_eq!(over_2.headers_without(&apart), answer.headers_without(&apart), "{place} {lines:?}");
            assert!(over_2.body == answer.body && head.body.is_empty(), "{place} {lines:?}");
        }
        assert_eq!(origin.count(place), 1);
    }
}

#[tokio::test]
async fn the_operator_says_which_codings_there_are_and_which_comes_first() {
    for (list, all_accepted, one_by_one) in [
        ("[zstd, br, gzip]", "zstd", [("zstd", "zstd"), ("br", "br"), ("gzip", "gzip")]),
        ("[gzip, br]", "gzip", [("zstd", "identity"), ("br", "br"), ("gzip", "gzip")]),
        ("[br]", "br", [("zstd", "identity"), ("br", "br"), ("gzip", "identity")]),
        ("[]", "identity", [("zstd", "identity"), ("br", "identity"), ("gzip", "identity")]),
    ] {
        let (_origin, gateway) = in_front_of(tagged, &format!("cache: {{ compress: {list} }}")).await;
        for place in PLACES {
            for (accepted, expected) in one_by_one {
                let answer = coded(&gateway, place, expected).await;
                // Without a coding nothing is split, and nobody is told that it was.
                assert_eq!(answer.all("vary").len(), usize::from(list != "[]"), "{list}");
                assert_eq!(coding(&accepting(&gateway, place, accepted).await), expected, "{list} {accepted}");
            }
            let answer = accepting(&gateway, place, "gzip, zstd, br").await;
            assert_eq!(coding(&answer), all_accepted, "{list}");
        }
    }
}

#[tokio::test]
async fn promise_7_every_visitor_is_told_that_the_page_varies() {
    let (origin, gateway) = in_front_of(tagged, "").await;
    // On a miss it is not known yet how long this one is.
    origin.on("/kept/chunks", |_| {
        Reply::ok("")
            .chunks([text(600), text(2000)])
            .header("content-type", "application/json")
            .header("etag", "\"v1\"")
    });
    for place in ["/kept/page", "/kept/chunks", "/origin/page"] {
        // A cache in front would otherwise give the one's coding to the other (RFC 9110 section 12.5.5).
        let miss = visit(&gateway, place, &[]).await;
        assert_eq!((miss.x_cache(), miss.all("vary")), ("MISS", vec!["accept-encoding"]), "{place}");
        let hit = visit(&gateway, place, &[]).await;
        let apart =
            ["age", "cache-status", "x-cache", "accept-ranges", "content-length", "transfer-encoding", "connection"];
        assert_eq!((hit.x_cache(), miss.headers_without(&apart)), ("HIT", hit.headers_without(&apart)), "{place}");
        let gzip = coded(&gateway, place, "gzip").await;
        for answer in [
            gzip,
            accepting(&gateway, place, "identity").await,
            visit(&gateway, place, &[("if-none-match", "\"v1\"")]).await,
            visit(&gateway, place, &[("range", "bytes=0-1")]).await,
            Client::connect(gateway.address()).await.request("HEAD", place, &[], "").await,
        ] {
            assert_eq!(answer.all("vary"), ["accept-encoding"], "{place}: {answer:?}");
        }
    }
    // A handler's own word is added to, not repeated.
    for (place, said, told) in [
        ("/kept/own", "Accept-Encoding", &["Accept-Encoding"][..]),
        ("/kept/more", "x-a", &["x-a", "accept-encoding"]),
        ("/origin/own", "accept-encoding, x-a", &["accept-encoding, x-a"]),
    ] {
        origin.on(place, move |_| page().header("vary", said));
        for _ in 0..2 {
            assert_eq!(get(gateway.address(), place).await.all("vary"), told, "{place}");
        }
    }
}

#[tokio::test]
async fn a_coded_page_has_a_weak_tag_and_either_tag_is_its_own() {
    let (origin, gateway) = in_front_of(tagged, "").await;
    origin.on("/kept/generated", |_| page());
    origin.on("/kept/weak", |_| page().header("etag", "W/\"v1\""));
    for place in ["/kept/page", "/origin/page", "/kept/generated", "/kept/weak"] {
        visit(&gateway, place, &[]).await;
        let identity = visit(&gateway, place, &[]).await;
        let tag = identity.header("etag").unwrap_or_default().to_owned();
        let weak = if tag.starts_with("W/") { tag.clone() } else { format!("W/{tag}") };
        for wanted in ["gzip", "br", "zstd"] {
            // The bytes differ, what they mean does not (RFC 9110 section 8.8.3.3).
            assert_eq!(coded(&gateway, place, wanted).await.all("etag"), [weak.as_str()], "{place} {wanted}");
            for (accepted, told) in [(wanted, &weak), ("identity", &tag)] {
                // If-None-Match compares weakly (section 13.1.2).
                for known in [&tag, &weak] {
                    let lines = [("accept-encoding", accepted), ("if-none-match", known)];
                    let has_it = visit(&gateway, place, &lines).await;
                    assert_eq!((has_it.status, has_it.body.len()), (304, 0), "{place} {accepted} {known}");
                    assert_eq!((has_it.all("etag"), coding(&has_it)), (vec![told.as_str()], "identity"), "{place}");
                }
                let lines = [("accept-encoding", accepted), ("if-none-match", "\"other\"")];
                let other = visit(&gateway, place, &lines).await;
                assert_eq!((other.status, coding(&other)), (200, accepted), "{place}");
            }
        }
        // A part of the identity keeps the tag of the identity.
        let part = visit(&gateway, place, &[("accept-encoding", "gzip"), ("range", "bytes=0-4")]).await;
        assert_eq!((part.status, coding(&part), part.text()), (206, "identity", &text(5)[..]), "{place}");
        assert_eq!(part.all("etag"), [tag.as_str()], "{place}");
        assert_eq!(origin.count(place), 1, "{place}");
    }
}

/// What leaves a page as it is: the lines of its handler.
const AS_IT_IS: [Lines<'static>; 14] = [
    &[("content-type", "image/png")],
    &[("content-type", "video/mp4")],
    &[("content-type", "application/zip")],
    &[("content-type", "application/octet-stream")],
    &[("content-type", "font/woff2")],
    &[("content-type", "text/event-stream")],
    &[("content-type", "")],
    &[],
    // RFC 9111 section 5.2.2.6.
    &[("content-type", "text/plain"), ("cache-control", "no-transform")],
    &[("content-type", "text/plain"), ("cache-control", "public"), ("Cache-Control", "max-age=60, No-Transform")],
    // It is coded already, whether the gateway knows that coding or not.
    &[("content-type", "text/plain"), ("content-encoding", "gzip")],
    &[("content-type", "text/plain"), ("content-encoding", "x-own")],
    // RFC 9530: a digest of these bytes.
    &[("content-type", "text/plain"), ("content-digest", "sha-256=:AAAA:")],
    &[("content-type", "text/plain"), ("repr-digest", "sha-256=:AAAA:")],
];

#[tokio::test]
async fn what_does_not_shrink_or_must_not_change_stays_as_its_handler_made_it() {
    // Of what is coded at all a byte would be enough.
    let (origin, gateway) = in_front_of(tagged, "cache: { compress_min: 1 }").await;
    for (case, lines) in AS_IT_IS.into_iter().enumerate() {
        for route in ["kept", "origin"] {
            let place = format!("/{route}/{case}");
            origin.on(&place, move |_| {
                let reply = Reply::ok(text(20_000)).header("cache-control", "max-age=3600");
                lines.iter().fold(reply, |reply, (name, value)| reply.header(*name, *value))
            });
            stays_as_it_is(&gateway, &place, lines).await;
            assert_eq!(origin.count(&place), 1, "{lines:?}");
        }
    }
    for place in ["/plain/page", "/plain-origin/page"] {
        stays_as_it_is(&gateway, place, &[("content-type", "text/plain; charset=utf-8")]).await;
    }
    for status in [203, 404] {
        let place = format!("/kept/{status}");
        origin.on(&place, move |_| page().status(status));
        stays_as_it_is(&gateway, &place, &[]).await;
    }
}

/// Asserts that a page comes as its handler sent it, whoever asks and however often, and that nobody is told otherwise.
async fn stays_as_it_is(gateway: &Gateway, place: &str, lines: Lines<'_>) {
    for x_cache in ["MISS", "HIT", "HIT"] {
        let answer = accepting(gateway, place, "gzip, br, zstd").await;
        assert_eq!((answer.x_cache(), answer.header("vary")), (x_cache, None), "{place} {lines:?}");
        let handlers = |name: &str| lines.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        assert_eq!(answer.header("content-encoding"), handlers("content-encoding"), "{place} {lines:?}");
        assert!(answer.body == text(20_000).as_bytes(), "{place} {lines:?}");
        // The one thread that codes has been through with it by the time that it has coded this one.
        let (control, _) = place.split_at(place.rfind('/').unwrap_or_default());
        if x_cache == "HIT" && !control.starts_with("/plain") {
            for wanted in ["gzip", "br", "zstd"] {
                coded(gateway, &format!("{control}/control"), wanted).await;
            }
        }
    }
}

#[tokio::test]
async fn a_small_page_is_not_worth_it() {
    let (origin, gateway) = in_front_of(tagged, "cache: { compress_min: 2KiB }").await;
    let random = noise(4096);
    origin.on("/kept/*", move |seen| {
        let reply = match seen.path() {
            "/kept/less" => Reply::ok(text(2047)),
            "/kept/least" => Reply::ok(text(2048)),
            "/kept/chunks" => Reply::ok("").chunks([text(1000), text(1047)]),
            _ => Reply::ok(&random),
        };
        reply.header("content-type", "text/plain")
    });
    // What is known to be too short is not said to vary; what turns out to be, or not to shrink, was said to already.
    for (place, told) in [("/kept/less", 0), ("/kept/chunks", 1), ("/kept/random", 1), ("/kept/least", 1)] {
        for _ in 0..3 {
            let answer = accepting(&gateway, place, "gzip").await;
            assert_eq!(answer.all("vary").len(), told, "{place}");
            assert!(place == "/kept/least" || coding(&answer) == "identity", "{place}");
            coded(&gateway, "/kept/least", "gzip").await;
        }
    }
}
