//! Visitors over TLS are served as those without it are, over HTTP/1.1 and HTTP/2, from memory, from one shared run of the handler
//! and through it; pages are kept apart by scheme. How connections begin and end is in `handshake`, what is wrong with a
//! configuration in `settings`.

mod handshake;
mod settings;

use evergate_tests::{Client, Gate, Gateway, Http2Client, Origin, Reply, Response, Site, get, until};

/// A route that is kept, one of which a page is known beforehand, one that lives by its handler's word, one that is dynamic.
const ROUTES: &str = " [{ path: '/kept/[page]', revalidate: 1h }, { path: '/known/[page]', revalidate: 1h, params: [{ page: a }] },\n\
    { path: '/own/[page]', revalidate: origin }, { path: '/live/[page]' }]";

/// A body that takes many records.
fn large() -> Vec<u8> {
    (0..1_u32 << 20).map(|place| (place % 251) as u8).collect()
}

/// An origin that repeats what it was asked, and a configuration of a gateway with two listeners: one over TLS, one without.
async fn configuration(site: &Site) -> (Origin, String) {
    let origin = Origin::start().await;
    origin.on("/*", |seen| {
        let body = String::from_utf8_lossy(&seen.body);
        let scheme = seen.header("x-forwarded-proto").unwrap_or("no scheme");
        Reply::ok(format!("{} {} {scheme} {body}", seen.method, seen.target))
    });
    let listen = format!("[{{ address: \"127.0.0.1:0\", {} }}, {{ address: \"127.0.0.1:0\" }}]", site.setting());
    let config = Gateway::simple_config(&origin, ROUTES).replace("[{ address: \"127.0.0.1:0\" }]", &listen);
    (origin, config)
}

/// A site, its handler, and the gateway before it.
async fn start() -> (Site, Origin, Gateway) {
    let site = Site::new();
    let (origin, config) = configuration(&site).await;
    let gateway = Gateway::start(&config).await;
    (site, origin, gateway)
}

/// A visitor over HTTP/1.1.
async fn visitor(site: &Site, gateway: &Gateway) -> Client {
    Client::over_tls(site.connect(gateway.address(), "http/1.1").await)
}

/// What an answer is worth.
fn worth(answer: &Response) -> (u16, &str, &str) {
    assert!(answer.complete, "the answer was cut: {answer:?}");
    (answer.status, answer.x_cache(), answer.text())
}

#[tokio::test]
async fn a_connection_carries_one_request_after_the_other() {
    let (site, origin, gateway) = start().await;
    let mut client = visitor(&site, &gateway).await;
    assert_eq!(worth(&client.get("/kept/a").await), (200, "MISS", "GET /kept/a https "));
    let hit = client.get("/kept/a").await;
    assert_eq!(worth(&hit), (200, "HIT", "GET /kept/a https "));
    assert!(hit.cache_status().starts_with("evergate; hit; ttl=") && hit.age().is_some(), "{hit:?}");
    let head = client.request("HEAD", "/kept/a", &[], "").await;
    assert_eq!((head.status, head.x_cache(), head.body.len()), (200, "HIT", 0));
    assert_eq!(head.header("content-length"), hit.header("content-length"));
    let etag = hit.header("etag").expect("an entity tag").to_owned();
    let unchanged = client.get_with("/kept/a", &[("if-none-match", &etag)]).await;
    assert_eq!((unchanged.status, unchanged.x_cache(), unchanged.body.len()), (304, "HIT", 0));
    assert_eq!(worth(&client.get("/live/a").await), (200, "PASS", "GET /live/a https "));
    let body = String::from_utf8_lossy(&[b'b'; 300_000]).into_owned();
    let posted = client.request("POST", "/live/a", &[("content-type", "text/plain")], &body).await;
    assert!(worth(&posted) == (200, "PASS", &format!("POST /live/a https {body}")), "{posted:?}");
    let chunked = [("transfer-encoding", "chunked")];
    client.send("POST", "/live/chunks", &chunked, "5\r\nhello\r\n0\r\n\r\n").await;
    assert_eq!(worth(&client.read_response("POST").await), (200, "PASS", "POST /live/chunks https hello"));
    assert_eq!(worth(&client.get("/kept/a").await), (200, "HIT", "GET /kept/a https "));
    assert_eq!(origin.count("/kept/a"), 1);
    assert_eq!(origin.malformed(), Vec::<String>::new());
}

#[tokio::test]
async fn http_2_is_chosen_in_the_handshake() {
    let (site, origin, gateway) = start().await;
    // Who offers both gets the newer one.
    let both = site.client(&evergate_tests::site::VERSIONS, &["http/1.1", "h2"]);
    let stream = evergate_tests::site::connect(gateway.address(), both).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let client = Http2Client::over_tls(stream).await;
    assert_eq!(worth(&client.get("/kept/a").await), (200, "MISS", "GET /kept/a https "));
    assert_eq!(worth(&client.get("/kept/a").await), (200, "HIT", "GET /kept/a https "));
    assert_eq!(worth(&visitor(&site, &gateway).await.get("/kept/a").await), (200, "HIT", "GET /kept/a https "));
    let head = client.request("HEAD", "/kept/a", &[], "").await;
    assert_eq!((head.status, head.x_cache(), head.body.len()), (200, "HIT", 0));
    assert_eq!(worth(&client.get("/live/a").await), (200, "PASS", "GET /live/a https "));
    let posted = client.request("POST", "/live/a", &[], "posted").await;
    assert_eq!(worth(&posted), (200, "PASS", "POST /live/a https posted"));
    assert_eq!(origin.count("/kept/a"), 1);
}

#[tokio::test]
async fn large_bodies_are_whole() {
    let (site, origin, gateway) = start().await;
    let body = large();
    origin.on("/*", move |seen| Reply::ok(if seen.body.is_empty() { &body } else { &seen.body }));
    let body = large();
    let mut http1 = visitor(&site, &gateway).await;
    let http2 = Http2Client::over_tls(site.connect(gateway.address(), "h2").await).await;
    for x_cache in ["MISS", "HIT"] {
        let answers = [http1.get("/kept/1").await, http2.get("/kept/2").await];
        for answer in answers {
            assert_eq!((answer.status, answer.x_cache(), answer.complete), (200, x_cache, true));
            assert!(answer.body == body, "{x_cache}: {} bytes", answer.body.len());
        }
    }
    let posted =
        [http1.request("POST", "/live/1", &[], &body).await, http2.request("POST", "/live/2", &[], &body).await];
    for answer in posted {
        assert_eq!((answer.status, answer.x_cache(), answer.complete), (200, "PASS", true));
        assert!(answer.body == body, "{} bytes", answer.body.len());
    }
}

/// Answers to requests that came together go out together, and each where it belongs.
#[tokio::test]
async fn requests_that_come_in_one_record_are_answered_in_turn() {
    let (site, origin, gateway) = start().await;
    let body = large();
    origin.on("/kept/large", move |_| Reply::ok(&body));
    let mut client = visitor(&site, &gateway).await;
    let asked = ["/kept/a", "/kept/b", "/live/c", "/kept/a", "/kept/large", "/kept/b"];
    for round in 0..2 {
        let requests: String = asked.iter().map(|target| format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n")).collect();
        client.send_raw(requests).await;
        for target in asked {
            let answer = client.read_response("GET").await;
            assert!(answer.complete && answer.status == 200, "{round} {target}: {answer:?}");
            if target == "/kept/large" {
                assert!(answer.body == large(), "{} bytes", answer.body.len());
            } else {
                assert_eq!(answer.text(), format!("GET {target} https "));
            }
            if round > 0 && target.starts_with("/kept") {
                assert_eq!(answer.x_cache(), "HIT", "{target}");
            }
        }
    }
}

/// A handler may write links to its own site, so the scheme is in the key, and what it sees is what is in the key.
#[tokio::test]
async fn promise_1_pages_are_kept_apart_by_scheme() {
    let (site, origin, gateway) = start().await;
    let mut encrypted = visitor(&site, &gateway).await;
    let mut plain = Client::connect(gateway.address_of(1)).await;
    origin.on("/own/a", |seen| {
        let scheme = seen.header("x-forwarded-proto").unwrap_or("no scheme").to_owned();
        Reply::ok(scheme).header("cache-control", "max-age=60")
    });
    for (target, says) in [("/kept/a", "GET /kept/a "), ("/own/a", "")] {
        for (x_cache, runs) in [("MISS", 1), ("HIT", 2)] {
            for (client, scheme) in [(&mut encrypted, "https"), (&mut plain, "http")] {
                let answer = client.get_with(target, &[("x-forwarded-proto", "gopher"), ("host", "a")]).await;
                assert_eq!((answer.status, answer.x_cache()), (200, x_cache), "{scheme} {target}");
                assert_eq!(answer.text().trim_end(), format!("{says}{scheme}"), "{x_cache} {target}");
            }
            assert_eq!(origin.count(target), 2, "after {runs} rounds");
        }
    }
    // What is forgotten by its path is forgotten in both.
    let order = [("content-type", "application/json")];
    let mut admin = Client::connect(gateway.admin()).await;
    let forgotten = admin.request("POST", "/invalidate", &order, r#"{"paths":["/kept/a"],"mode":"delete"}"#).await;
    assert_eq!(forgotten.status, 200, "{forgotten:?}");
    for client in [&mut encrypted, &mut plain] {
        assert_eq!(client.get("/kept/a").await.x_cache(), "MISS");
    }
}

#[tokio::test]
async fn what_is_fetched_ahead_is_for_visitors_over_tls() {
    let (site, origin, gateway) = start().await;
    let mut client = visitor(&site, &gateway).await;
    assert_eq!(worth(&client.get("/known/a").await), (200, "PRERENDER", "GET /known/a https "));
    let mut admin = Client::connect(gateway.admin()).await;
    let order = r#"{"urls":["/kept/warmed","http://localhost/kept/also"]}"#;
    let warmed = admin.request("POST", "/warm", &[("content-type", "application/json")], order).await;
    assert!(warmed.status == 200 && warmed.complete, "{warmed:?}");
    for page in ["/kept/warmed", "/kept/also"] {
        assert_eq!(client.get(page).await.x_cache(), "PRERENDER", "{page}: {}", warmed.text());
    }
    // What was popular is fetched again as it was asked for.
    let order = r#"{"paths":["/known/a"],"mode":"delete","refresh":true}"#;
    let forgotten = admin.request("POST", "/invalidate", &[("content-type", "application/json")], order).await;
    assert_eq!(forgotten.status, 200, "{forgotten:?}");
    until("it is fetched again", || origin.count("/known/a") == 2).await;
    until("it is there again", async || visitor(&site, &gateway).await.get("/known/a").await.x_cache() == "HIT").await;
    assert_eq!(origin.count("/known/a"), 2);
    // A question that says no scheme is about what visitors ask for.
    let explained = admin.get("/explain?url=/kept/warmed").await;
    assert_eq!(explained.json()["key"]["scheme"], "https", "{}", explained.text());
    assert_eq!(explained.json()["decision"], "cached", "{}", explained.text());
}

#[tokio::test]
async fn promise_2_visitors_in_both_protocols_share_a_run_and_read_it_as_it_comes() {
    let (site, origin, gateway) = start().await;
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/kept/slow", move |_| Reply::ok("").chunks(["first ", "second"]).gate_after(1, &held));
    let mut http1 = visitor(&site, &gateway).await;
    http1.send("GET", "/kept/slow", &[], "").await;
    assert_eq!(http1.read_head().await.x_cache(), "MISS");
    let (_, piece) = http1.next_chunk().await.expect("the first piece comes before the second is there");
    assert_eq!(piece, "first ");
    let http2 = Http2Client::over_tls(site.connect(gateway.address(), "h2").await).await;
    let other = tokio::spawn(async move { http2.get("/kept/slow").await });
    gate.open();
    let (_, piece) = http1.next_chunk().await.expect("the second piece");
    assert_eq!((piece, http1.next_chunk().await), ("second".into(), None));
    assert!(http1.complete());
    assert_eq!(other.await.expect("no panic").text(), "first second");
    assert_eq!(origin.count("/kept/slow"), 1);
}

#[tokio::test]
async fn protocols_that_leave_http_are_tunnelled() {
    let (site, origin, gateway) = start().await;
    origin.on("/live/socket", |_| Reply::upgrade_echo());
    let mut client = visitor(&site, &gateway).await;
    client.send("GET", "/live/socket", &[("connection", "upgrade"), ("upgrade", "websocket")], "").await;
    let agreed = client.read_head().await;
    assert_eq!((agreed.status, agreed.header("upgrade")), (101, Some("websocket")));
    let body = large();
    for message in [&[0, 1, 2, 255][..], b"GET / HTTP/1.1\r\n\r\n", &body[..300_000]] {
        client.send_raw(message).await;
        assert!(client.read_raw(message.len()).await == message, "{} bytes", message.len());
    }
    client.finish_sending().await;
    client.expect_closed().await;
    until("the handler's side has ended", || origin.seen("/live/socket")[0].ended.is_some()).await;
}

/// What is answered by the gateway itself leads to where the visitor is, and a broken head is refused as ever.
#[tokio::test]
async fn the_gateways_own_answers_are_the_same() {
    let (site, _origin, gateway) = start().await;
    let slashes = visitor(&site, &gateway).await.get("//kept//a").await;
    let plain = get(gateway.address_of(1), "//kept//a").await;
    assert_eq!((slashes.status, slashes.header("location")), (plain.status, plain.header("location")));
    let mut client = visitor(&site, &gateway).await;
    client.send_raw("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let refused = client.read_response("GET").await;
    assert_eq!((refused.status, refused.header("connection")), (400, Some("close")));
    client.expect_closed().await;
}
