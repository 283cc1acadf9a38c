//! Variants (section 4.1): the handler names in `Vary` what its answers differ in, and nobody gets another's.

use std::net::SocketAddr;

use evergate_tests::{Client, Gate, Gateway, Http2Client, Origin, Reply, Seen, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::{Lines, detail, essence, in_front_of, number, page, runs, said, visit};

/// The page in the visitor's language, for everyone who speaks it.
fn in_language(seen: &Seen) -> Reply {
    Reply::ok(seen.all("accept-language").join(", "))
        .header("cache-control", "max-age=60")
        .header("vary", "accept-language")
}

#[tokio::test]
async fn promise_1_fields_that_did_not_reach_the_handler_select_nothing() {
    // Who names a field in Connection withholds it from the handler (RFC 9110 section 7.6.1), whose answer is then the one for
    // requests without it.
    let reply = |seen: &Seen| match seen.header("accept-language") {
        Some(_) => in_language(seen),
        None => Reply::ok("none").header("cache-control", "max-age=60").header("vary", "accept-language"),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    let withheld = [("connection", "accept-language"), ("accept-language", "fi")];
    assert_eq!(visit(&gateway, &withheld).await.text(), "none");
    assert_eq!(origin.seen("/p")[0].header("accept-language"), None);
    assert_eq!(visit(&gateway, &[("accept-language", "fi")]).await.text(), "fi");
}

/// A GET of `/p` from this address of our own; the whole answer as text.
async fn visit_from(from: [u8; 4], to: SocketAddr) -> String {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from((from, 0))).expect("every 127.x.x.x is ours");
    let exchange = async {
        let mut stream = socket.connect(to).await.expect("the gateway listens");
        let head = format!("GET /p HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("the gateway reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer to its end");
        answer
    };
    within("an answer", evergate_tests::BOUND, exchange).await
}

#[tokio::test]
async fn promise_1_what_the_gateway_tells_of_a_visitor_splits_visitors_too() {
    let whose = |seen: &Seen| {
        let address = seen.header("x-forwarded-for").unwrap_or_default();
        Reply::ok(format!("for {address}")).header("cache-control", "max-age=60").header("vary", "x-forwarded-for")
    };
    let (_origin, gateway) = in_front_of(whose, "").await;
    for last in [2, 3, 2] {
        let answer = visit_from([127, 0, 0, last], gateway.address()).await;
        assert!(answer.ends_with(&format!("for 127.0.0.{last}")), "{answer}");
    }
}

#[tokio::test]
async fn promise_1_a_confirmation_that_now_varies_is_not_for_those_who_differ() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| match (seen.header("if-none-match"), seen.header("accept-language")) {
        (Some(_), Some("fi")) => Reply::ok("")
            .status(304)
            .header("etag", "\"fi\"")
            .header("vary", "accept-language")
            .header("cache-control", "max-age=60")
            .gate(&held),
        (_, language) => {
            let language = language.unwrap_or("fi").to_owned();
            Reply::ok(&language).header("etag", format!("\"{language}\"")).header("cache-control", "max-age=60")
        }
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", "fi"));
    let speaking = |language| [("accept-language", language), ("cache-control", "no-cache")];
    let mut first = Client::connect(gateway.address()).await;
    first.send("GET", "/p", &speaking("fi"), "").await;
    gate.arrived(1).await;
    let mut second = Client::connect(gateway.address()).await;
    second.send("GET", "/p", &speaking("en"), "").await;
    // The second has been read once an answer to a later request is there.
    visit(&gateway, &[]).await;
    gate.open();
    assert_eq!(first.read_response("GET").await.text(), "fi");
    assert_eq!(second.read_response("GET").await.text(), "en");
}

#[tokio::test]
async fn promise_1_visitors_who_differ_and_come_at_once_to_a_cold_page_get_their_own() {
    // Nobody knows that the answer differs before it is there: the others wait for one that is not theirs.
    let gate = Gate::new();
    let held = gate.clone();
    let (origin, gateway) = in_front_of(move |seen| in_language(seen).gate(&held), "").await;
    let mut visitors = JoinSet::new();
    for language in ["fi", "en", "sv", "de", "fr", "fi", "en"] {
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", "/p", &[("accept-language", language)], "").await;
        visitors.spawn(async move { (language, client.read_response("GET").await) });
    }
    gate.arrived(1).await;
    gate.open();
    for (language, response) in visitors.join_all().await {
        assert_eq!(response.text(), language, "{}", response.cache_status());
    }
    let asked = origin.count("/p");
    for language in ["fi", "en"] {
        assert_eq!(visit(&gateway, &[("accept-language", language)]).await.text(), language);
    }
    assert!((5..=9).contains(&asked), "{asked} runs");
}

#[tokio::test]
async fn what_the_handler_names_splits_visitors_and_nothing_else_does() {
    let (origin, gateway) = in_front_of(in_language, "").await;
    for (lines, x_cache, text) in [
        (&[("accept-language", "fi"), ("cookie", "id=ann")][..], "MISS", "fi"),
        (&[("accept-language", "fi"), ("cookie", "id=bob"), ("accept", "text/html")], "HIT", "fi"),
        (&[("accept-language", "en")], "MISS", "en"),
        (&[("accept-language", "fi")], "HIT", "fi"),
        (&[("accept-language", "en"), ("user-agent", "two")], "HIT", "en"),
        // A field that is not there is not one that is empty.
        (&[], "MISS", ""),
        (&[], "HIT", ""),
    ] {
        assert_eq!(essence(&visit(&gateway, lines).await), (x_cache, text), "{lines:?}");
    }
    assert_eq!(origin.count("/p"), 3);
    let missing = visit(&gateway, &[("accept-language", "de")]).await;
    assert_eq!(missing.cache_status(), "evergate; fwd=vary-miss; fwd-status=200; stored");
}

/// A field in `Vary`, two values, and whether they mean the same.
const SPELLINGS: [(&str, Lines<'static>, Lines<'static>, bool); 17] = [
    ("accept-language", &[("accept-language", "fi")], &[("accept-language", "FI")], true),
    ("accept-language", &[("accept-language", "fi,en")], &[("accept-language", "en ,  FI")], true),
    ("accept-language", &[("accept-language", "fi,en;q=0.5")], &[("accept-language", "en;q=0.50, fi;q=1")], true),
    ("accept-language", &[("accept-language", "fi,en;q=0.5")], &[("accept-language", "en, fi;q=0.5")], false),
    ("accept-language", &[("accept-language", "fi")], &[("accept-language", "fi-FI")], false),
    ("accept-encoding", &[("accept-encoding", "br, gzip")], &[("accept-encoding", "GZIP,br")], true),
    ("accept-encoding", &[("accept-encoding", "br, gzip")], &[("accept-encoding", "br, gzip;q=0")], false),
    ("x-a", &[("x-a", "1,2")], &[("x-a", "1 ,\t2")], true),
    ("X-A", &[("x-a", "1, 2")], &[("x-a", "1"), ("x-a", "2")], true),
    ("x-a", &[("x-a", "1, 2")], &[("x-a", "2, 1")], false),
    ("x-a", &[("x-a", "a")], &[("x-a", "A")], false),
    ("x-a", &[("x-a", "\"1, 2\"")], &[("x-a", "\"1,2\"")], false),
    ("x-a", &[("x-a", "1")], &[], false),
    ("x-a, x-b", &[("x-a", "1"), ("x-b", "2")], &[("x-b", "2"), ("x-a", "1")], true),
    ("x-a, x-b", &[("x-a", "1"), ("x-b", "2")], &[("x-a", "2"), ("x-b", "1")], false),
    // Whom these name is compared to the letter.
    ("cookie", &[("cookie", "id=ann")], &[("cookie", "id=Ann")], false),
    ("cookie", &[("cookie", "a=1; id=ann")], &[("cookie", "a=1; id=bob")], false),
];

#[tokio::test]
async fn promise_1_values_are_the_same_where_they_mean_the_same_and_only_there() {
    // Section 4.1: what the syntax of a field lets one change without changing what it means.
    let reply = |seen: &Seen| {
        let vary = SPELLINGS[number(seen)].0;
        Reply::ok("page").header("cache-control", "max-age=60").header("vary", vary)
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    for (case, (vary, one, other, same)) in SPELLINGS.into_iter().enumerate() {
        assert_eq!(page(&gateway, case, one).await.x_cache(), "MISS", "{vary}: {one:?}");
        let expected = if same { "HIT" } else { "MISS" };
        assert_eq!(page(&gateway, case, other).await.x_cache(), expected, "{vary}: {one:?}, {other:?}");
        assert_eq!(page(&gateway, case, one).await.x_cache(), "HIT", "{vary}: {one:?} is still there");
    }
}

#[tokio::test]
async fn promise_1_cookies_in_lines_select_what_they_select_in_one() {
    // RFC 9113 section 8.2.3: the handler sees them joined by a semicolon, and what it sees is what selects its answer.
    let reply = |seen: &Seen| {
        let cookies = seen.all("cookie").join(" AND ");
        Reply::ok(cookies).header("cache-control", "max-age=60").header("vary", "cookie")
    };
    let (_origin, gateway) = in_front_of(reply, "").await;
    for (lines, x_cache, text) in [
        (&[("cookie", "a=1, b=2")][..], "MISS", "a=1, b=2"),
        (&[("cookie", "a=1"), ("cookie", "b=2")], "MISS", "a=1; b=2"),
        (&[("cookie", "a=1; b=2")], "HIT", "a=1; b=2"),
    ] {
        let response = visit(&gateway, lines).await;
        assert_eq!(response.text(), text, "{lines:?}: {}", response.cache_status());
        assert_eq!(response.x_cache(), x_cache, "{lines:?}");
    }
}

#[tokio::test]
async fn promise_1_cookies_of_http_2_select_what_those_of_http_1_do() {
    let origin = Origin::start().await;
    origin.on("/p", |seen| {
        let cookies = seen.all("cookie").join(" AND ");
        Reply::ok(cookies).header("cache-control", "max-age=60").header("vary", "cookie")
    });
    let config = Gateway::simple_config(&origin, "- { path: /p, revalidate: origin }");
    let gateway = Gateway::start(&config.replace("127.0.0.1:0\" }]", "127.0.0.1:0\", h2c: true }]")).await;
    assert_eq!(essence(&visit(&gateway, &[("cookie", "a=1, b=2")]).await), ("MISS", "a=1, b=2"));
    assert_eq!(essence(&visit(&gateway, &[("cookie", "a=1; b=2")]).await), ("MISS", "a=1; b=2"));
    // Browsers send each cookie as a line of its own.
    let client = Http2Client::connect(gateway.address()).await;
    let response = client.request("GET", "/p", &[("cookie", "a=1"), ("cookie", "b=2")], "").await;
    assert_eq!(essence(&response), ("HIT", "a=1; b=2"), "{}", response.cache_status());
}

/// `Vary` lines that tell of something no request shows, or that differs with every request.
const FOR_NOBODY: [Lines<'static>; 12] = [
    &[("vary", "*")],
    &[("vary", " * ")],
    &[("vary", "*, accept")],
    &[("vary", "accept, *")],
    &[("vary", "accept"), ("vary", "*")],
    &[("vary", "*"), ("vary", "accept")],
    &[("vary", "no name")],
    &[("vary", "via")],
    &[("vary", "x-request-id")],
    &[("vary", "traceparent")],
    &[("vary", "x-forwarded-for")],
    &[("vary", "if-none-match")],
];

#[tokio::test]
async fn promise_1_what_varies_by_more_than_a_request_shows_is_for_whoever_asked() {
    let reply = |seen: &Seen| {
        let lines = FOR_NOBODY[number(seen)];
        said(Reply::ok("page").header("cache-control", "max-age=60"), lines)
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    for (case, lines) in FOR_NOBODY.into_iter().enumerate() {
        for run in 1..=2 {
            let response = page(&gateway, case, &[]).await;
            assert_eq!((response.text(), detail(&response)), ("page", "vary"), "{lines:?}");
            assert_eq!(runs(&origin, case), run, "{lines:?}");
        }
    }
}

#[tokio::test]
async fn promise_6_a_page_keeps_its_32_latest_variants() {
    let (origin, gateway) = in_front_of(in_language, "").await;
    let speak = async |number: usize| visit(&gateway, &[("accept-language", &format!("x-{number}"))]).await;
    for number in 0..40 {
        assert_eq!(speak(number).await.x_cache(), "MISS", "{number}");
    }
    for number in 8..40 {
        assert_eq!(essence(&speak(number).await), ("HIT", format!("x-{number}").as_str()));
    }
    for number in 0..8 {
        assert_eq!(speak(number).await.x_cache(), "MISS", "{number}");
    }
    assert_eq!(origin.count("/p"), 48);
}

#[tokio::test]
async fn of_several_that_fit_the_most_recent_wins() {
    // Section 4.1: the handler changes its mind on what its answers differ in, so that a request fits two of them.
    let reply = |seen: &Seen| {
        let a = seen.header("x-a").unwrap_or_default().to_owned();
        let vary = if a == "1" { "x-a" } else { "x-b" };
        Reply::ok(a).header("cache-control", "max-age=60").header("vary", vary)
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    let mut visits = Vec::new();
    for lines in [[("x-a", "1"), ("x-b", "1")], [("x-a", "2"), ("x-b", "1")], [("x-a", "1"), ("x-b", "1")]] {
        let response = visit(&gateway, &lines).await;
        visits.push((response.x_cache().to_owned(), response.text().to_owned()));
    }
    let expected = [("MISS", "1"), ("MISS", "2"), ("HIT", "2")];
    assert_eq!(visits, expected.map(|(x_cache, text)| (x_cache.to_owned(), text.to_owned())));
    assert_eq!(visit(&gateway, &[("x-a", "1"), ("x-b", "2")]).await.text(), "1", "the older one is still there");
    assert_eq!(origin.count("/p"), 2);
}

#[tokio::test]
async fn a_page_in_the_language_that_is_wanted_most_is_chosen_by_weight() {
    let reply = |seen: &Seen| {
        let language = seen.header("accept-language").and_then(|wanted| wanted.split([',', ';']).next());
        let language = language.unwrap_or("fi").to_owned();
        in_language(seen).header("content-language", language)
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    for (wanted, x_cache, text) in [
        ("fi", "MISS", "fi"),
        ("fi, en;q=0.5", "HIT", "fi"),
        ("en;q=0.5, FI;q=0.9", "HIT", "fi"),
        // Two that are wanted alike: which of them the handler has, nobody knows.
        ("en, fi", "MISS", "en, fi"),
        ("fi;q=0", "MISS", "fi;q=0"),
        ("fi-FI, fi;q=0.9", "MISS", "fi-FI, fi;q=0.9"),
    ] {
        let response = visit(&gateway, &[("accept-language", wanted)]).await;
        assert_eq!(essence(&response), (x_cache, text), "{wanted}");
    }
    assert_eq!(origin.count("/p"), 4);
}
