//! `PURGE` on the visitors' listeners: who may, what it forgets, and that it is nobody's business otherwise.

use evergate_tests::{Client, Gateway, Http2Client, Origin, Reply, get};
use serde_json::json;

use super::{is_kept, numbered, seen, visit};

const PAGE: &str = "- { path: /p, revalidate: 1h }\n";
const ALLOWED: &str = "- { path: /p, revalidate: 1h }\npurge: { allow: [127.0.0.1] }\n";

async fn purge(gateway: &Gateway, target: &str, lines: &[(&str, &str)]) -> evergate_tests::Response {
    Client::connect(gateway.address()).await.request("PURGE", target, lines, "").await
}

#[tokio::test]
async fn whoever_may_forgets_a_path() {
    let (origin, gateway) = numbered(ALLOWED).await;
    for target in ["/p", "/p?x=1", "/p?x=2"] {
        visit(&gateway, target).await;
    }
    let answer = purge(&gateway, "/p?whatever", &[]).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(
        answer.json(),
        json!({ "mode": "delete", "matched": { "count": 3, "exact": true }, "selected": [{ "path": "/p" }] })
    );
    assert_eq!((answer.cache_status(), answer.header("x-cache")), ("evergate; detail=purged", None));
    assert!(answer.header("cache-control").is_some_and(|control| control.contains("no-store")));
    assert_eq!(visit(&gateway, "/p").await, seen("MISS", "4"));
    assert_eq!(purge(&gateway, "/nothing", &[]).await.json()["matched"]["count"], 0);
    // In its one spelling, as it is kept.
    for target in ["//p", "/x/../p", "/%70"] {
        visit(&gateway, "/p").await;
        assert_eq!(purge(&gateway, target, &[]).await.status, 200, "{target}");
        assert_eq!(visit(&gateway, "/p").await.0, "MISS", "{target}");
    }
    assert!(origin.seen("/*").iter().all(|seen| seen.method == "GET"), "the handler hears nothing of it");
    assert!(gateway.metric("evergate_invalidations_total", &[("kind", "path"), ("mode", "delete")]).await >= 4.0);
    let line = gateway.wait_log(|line| line.contains("forgotten") && line.contains("source=\"purge\"")).await;
    assert!(line.contains("what=\"path /p\""), "{line}");
}

#[tokio::test]
async fn it_may_leave_the_old_one_for_once() {
    let (_origin, gateway) = numbered(&ALLOWED.replace("[127.0.0.1]", "['127.0.0.0/8'], mode: stale")).await;
    visit(&gateway, "/p").await;
    assert_eq!(purge(&gateway, "/p", &[]).await.json()["mode"], "stale");
    assert_eq!(visit(&gateway, "/p").await, seen("STALE", "1"));
}

#[tokio::test]
async fn who_may_not_gets_403_and_the_handler_hears_nothing() {
    for settings in ["[10.0.0.0/8]", "['::/0']", "[127.0.0.2, 192.168.0.0/16]"] {
        let (origin, gateway) = numbered(&ALLOWED.replace("[127.0.0.1]", settings)).await;
        visit(&gateway, "/p").await;
        for lines in [
            &[][..],
            &[("x-forwarded-for", "10.0.0.1"), ("forwarded", "for=10.0.0.1"), ("x-real-ip", "10.0.0.1")],
            &[("authorization", "Bearer x")],
        ] {
            let answer = purge(&gateway, "/p", lines).await;
            assert_eq!((answer.status, answer.cache_status()), (403, "evergate; detail=purge-refused"), "{settings}");
        }
        assert_eq!(visit(&gateway, "/p").await, seen("HIT", "1"));
        assert_eq!(origin.count("/*"), 1);
        assert_eq!(gateway.metric("evergate_invalidations_total", &[]).await, 0.0);
    }
}

#[tokio::test]
async fn without_the_setting_it_is_a_method_like_any_other() {
    let (origin, gateway) = numbered(PAGE).await;
    visit(&gateway, "/p").await;
    let answer = purge(&gateway, "/p", &[]).await;
    assert_eq!((answer.status, answer.text(), answer.x_cache()), (200, "2", "PASS"));
    assert_eq!(origin.seen("/p")[1].method, "PURGE");
    assert_eq!(visit(&gateway, "/p").await, seen("HIT", "1"));
    // Methods are told apart to the letter (RFC 9110 section 9.1).
    let (origin, gateway) = numbered(ALLOWED).await;
    let answer = Client::connect(gateway.address()).await.request("purge", "/p", &[], "").await;
    assert_eq!((answer.status, origin.seen("/p")[0].method.as_str()), (200, "purge"));
}

#[tokio::test]
async fn over_http2_it_is_the_same() {
    for (allow, status) in [("[127.0.0.1]", 200), ("[10.0.0.0/8]", 403)] {
        let origin = Origin::start().await;
        origin.on("/p", |_| Reply::ok("page"));
        let config = Gateway::simple_config(&origin, &ALLOWED.replace("[127.0.0.1]", allow));
        let config = config.replace("address: \"127.0.0.1:0\" }]", "address: \"127.0.0.1:0\", h2c: true }]");
        let gateway = Gateway::start(&config).await;
        let client = Http2Client::connect(gateway.address()).await;
        assert_eq!((client.get("/p").await.x_cache(), client.get("/p").await.x_cache()), ("MISS", "HIT"));
        for body in ["", "a body"] {
            assert_eq!(client.request("PURGE", "/p", &[], body).await.status, status, "{allow} {body:?}");
            let expected = if status == 200 { "MISS" } else { "HIT" };
            assert_eq!(client.get("/p").await.x_cache(), expected, "{allow} {body:?}");
        }
        assert!(origin.seen("/*").iter().all(|seen| seen.method == "GET"));
    }
}

#[tokio::test]
async fn the_connection_stays_in_step() {
    let (origin, gateway) = numbered(ALLOWED).await;
    visit(&gateway, "/p").await;
    // Without a body the connection goes on.
    let mut client = Client::connect(gateway.address()).await;
    client.send_raw("PURGE /p HTTP/1.1\r\nhost: a\r\n\r\nGET /p HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.read_response("PURGE").await.status, 200);
    let answer = client.read_response("GET").await;
    assert_eq!((answer.x_cache(), answer.text()), ("MISS", "2"));
    assert_eq!(client.get("/p").await.x_cache(), "HIT");
    // A body is no request, whatever it looks like.
    let inner = "GET /inner HTTP/1.1\r\nhost: a\r\n\r\n";
    for head in [
        format!("content-length: {}\r\n\r\n{inner}", inner.len()),
        format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len()),
        format!("expect: 100-continue\r\ncontent-length: {}\r\n\r\n{inner}", inner.len()),
    ] {
        let mut client = Client::connect(gateway.address()).await;
        client.send_raw(format!("PURGE /p HTTP/1.1\r\nhost: a\r\n{head}")).await;
        let answer = client.read_response("PURGE").await;
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{head}");
        client.finish_sending().await;
        client.expect_closed().await;
        assert_eq!(visit(&gateway, "/p").await.0, "MISS", "{head}");
    }
    // A large one is not read to its end by anybody, and the answer arrives all the same.
    let mut client = Client::connect(gateway.address()).await;
    client.send("PURGE", "/p", &[], vec![b'x'; 300_000]).await;
    assert_eq!(client.read_response("PURGE").await.status, 200);
    assert_eq!(origin.count("/inner"), 0);
}

#[tokio::test]
async fn rules_do_not_lead_it_elsewhere() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("page"));
    let routes = "- { path: /p, revalidate: 1h }\n- { path: /closed, revalidate: 1h }\npurge: { allow: [127.0.0.1] }\n\
                  hosts: [one.test, two.test]\ntrailing_slash: redirect\nproxy:\n\
                  - { matcher: /closed, respond: { status: 451 } }\n\
                  - { matcher: /p, missing: [{ type: header, key: x-keep }], redirect: { to: /elsewhere } }\n\
                  - { response_headers: { set: { x-everywhere: 'yes' } } }";
    let routes = routes.replace(
        "{ matcher: /p, missing: [{ type: header, key: x-keep }], redirect",
        "{ matcher: { source: /p, missing: [{ type: header, key: x-keep }] }, redirect",
    );
    let gateway = Gateway::simple(&origin, &routes).await;
    let hosts = ["one.test", "two.test"];
    let lines = |host: &'static str| [("host", host), ("x-keep", "1")];
    for host in hosts {
        assert!(!is_kept(&gateway, "/p", &lines(host)).await);
    }
    // For every host, under whichever name it is asked.
    for (host, target) in [("one.test", "/p"), ("three.test", "/p"), ("one.test", "/p/")] {
        let answer = purge(&gateway, target, &[("host", host)]).await;
        assert_eq!((answer.status, answer.json()["matched"]["count"].as_u64()), (200, Some(2)), "{host} {target}");
        assert_eq!(answer.header("x-everywhere"), Some("yes"), "what answers say everywhere is said here too");
        for host in hosts {
            assert!(!is_kept(&gateway, "/p", &lines(host)).await);
        }
    }
    assert_eq!(purge(&gateway, "/closed", &[("host", "one.test")]).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_a_path_is_refused() {
    let (_origin, gateway) = numbered(ALLOWED).await;
    visit(&gateway, "/p").await;
    for target in ["*", "/%zz", "/a%00", "/a%5Cb"] {
        let answer = purge(&gateway, target, &[]).await;
        assert_eq!((answer.status, answer.cache_status()), (400, "evergate; detail=refused"), "{target}");
    }
    assert_eq!(visit(&gateway, "/p").await, seen("HIT", "1"));
}

#[tokio::test]
async fn explaining_it_does_not_do_it() {
    let (_origin, gateway) = numbered(ALLOWED).await;
    visit(&gateway, "/p").await;
    let told = get(gateway.admin(), "/explain?url=/p&method=PURGE").await.json();
    assert_eq!(
        (&told["decision"], &told["cache_status"]),
        (&json!("answer"), &json!("evergate; detail=purged")),
        "{told}"
    );
    assert!(told["detail"].as_str().is_some_and(|detail| detail.contains("`purge.allow`")), "{told}");
    assert_eq!(visit(&gateway, "/p").await, seen("HIT", "1"));
}
