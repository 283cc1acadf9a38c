//! HEAD: answered from what is stored, otherwise asked of the handler, whose answer brings what is stored up to date or tells
//! that it is no longer true (section 4.3.5), where the answer is one for all.

use evergate_tests::{Client, Gate, Reply, Seen};

use super::{Lines, ask, detail, essence, in_front_of, number, page, runs, visit};

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A page with both validators and this lifetime.
fn validated(max_age: u32) -> Reply {
    let reply = Reply::ok("page").header("content-type", "text/plain").header("etag", "\"v1\"");
    reply.header("last-modified", MODIFIED).header("cache-control", format!("max-age={max_age}"))
}

#[tokio::test]
async fn head_is_answered_from_what_is_stored_and_otherwise_passes() {
    let (origin, gateway) = in_front_of(|_| validated(60), "").await;
    let cold = ask(&gateway, "HEAD", &[]).await;
    assert_eq!((cold.status, cold.x_cache(), detail(&cold)), (200, "PASS", "head"));
    assert_eq!(origin.seen("/p")[0].method, "HEAD");
    assert_eq!(visit(&gateway, &[]).await.x_cache(), "MISS", "an answer to HEAD is none to GET");
    let warm = ask(&gateway, "HEAD", &[]).await;
    assert_eq!((warm.status, warm.x_cache(), warm.body.len()), (200, "HIT", 0));
    assert_eq!((warm.header("content-length"), warm.header("etag")), (Some("4"), Some("\"v1\"")));
    assert_eq!(ask(&gateway, "HEAD", &[("if-none-match", "\"v1\"")]).await.status, 304);
    assert_eq!(origin.count("/p"), 2);
}

#[tokio::test]
async fn head_brings_up_to_date_or_forgets_or_says_nothing() {
    // Section 4.3.5.
    const CASES: [(Lines<'static>, &str); 7] = [
        (&[("etag", "\"v1\""), ("content-length", "4")], "renewed"),
        (&[("etag", "\"v1\""), ("last-modified", MODIFIED)], "renewed"),
        (&[("etag", "\"v2\"")], "forgotten"),
        (&[("etag", "\"v1\""), ("content-length", "5")], "forgotten"),
        (&[("etag", "\"v1\""), ("last-modified", "Sun, 06 Nov 1994 08:49:38 GMT")], "forgotten"),
        // What was for whoever asked says nothing of what others have.
        (&[("etag", "\"v1\""), ("set-cookie", "a=1")], "left"),
        (&[("etag", "\"v2\""), ("cache-control", "no-store")], "left"),
    ];
    let reply = |seen: &Seen| match seen.method.as_str() {
        "HEAD" => {
            let (lines, _) = CASES[number(seen)];
            let reply = Reply::ok("").header("x-state", "seen");
            let reply = if lines.iter().any(|(name, _)| *name == "cache-control") {
                reply
            } else {
                reply.header("cache-control", "max-age=60")
            };
            let reply = super::said(reply, lines);
            if lines.iter().any(|(name, _)| *name == "content-length") {
                reply
            } else {
                reply.header("content-length", "4")
            }
        }
        _ => validated(60),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    for (case, (lines, becomes)) in CASES.into_iter().enumerate() {
        page(&gateway, case, &[]).await;
        let target = format!("/p?{case}");
        let insisting = [("cache-control", "no-cache")];
        let head = Client::connect(gateway.address()).await.request("HEAD", &target, &insisting, "").await;
        assert_eq!((head.status, head.x_cache()), (200, "PASS"), "{lines:?}");
        let later = page(&gateway, case, &[]).await;
        assert_eq!(later.text(), "page", "{lines:?}");
        assert_eq!(later.header("set-cookie"), None, "{lines:?}");
        let expected = match becomes {
            "renewed" => ("HIT", Some("seen"), 2),
            "left" => ("HIT", None, 2),
            _ => ("MISS", None, 3),
        };
        assert_eq!((later.x_cache(), later.header("x-state"), runs(&origin, case)), expected, "{lines:?}");
    }
}

#[tokio::test]
async fn a_head_that_fails_says_nothing_of_what_is_stored() {
    for status in [304, 404, 500, 503] {
        let reply = move |seen: &Seen| match seen.method.as_str() {
            "HEAD" => Reply::ok("").status(status),
            _ => validated(60),
        };
        let (_origin, gateway) = in_front_of(reply, "").await;
        visit(&gateway, &[]).await;
        assert_eq!(ask(&gateway, "HEAD", &[("cache-control", "no-cache")]).await.status, status);
        assert_eq!(essence(&visit(&gateway, &[]).await), ("HIT", "page"), "{status}");
    }
}

#[tokio::test]
async fn promise_1_a_head_leaves_no_field_that_was_for_its_asker() {
    // Section 5.2.2.7 with section 4.3.5: what a HEAD brings up to date goes by the same rules.
    for directive in ["private", "no-cache"] {
        let reply = move |seen: &Seen| {
            let reply = Reply::ok("page").header("etag", "\"v1\"");
            match seen.header("cookie") {
                Some(who) => {
                    reply.header("cache-control", format!("max-age=60, {directive}=\"x-user\"")).header("x-user", who)
                }
                None => reply.header("cache-control", "max-age=60"),
            }
        };
        let (_origin, gateway) = in_front_of(reply, "").await;
        visit(&gateway, &[]).await;
        let head = ask(&gateway, "HEAD", &[("cookie", "id=ann"), ("cache-control", "no-cache")]).await;
        assert_eq!((head.x_cache(), head.header("x-user")), ("PASS", Some("id=ann")), "{directive}");
        let other = visit(&gateway, &[]).await;
        assert_eq!((other.text(), other.header("x-user")), ("page", None), "{directive}: {}", other.cache_status());
    }
}

#[tokio::test]
async fn promise_1_a_head_that_insists_on_its_own_leaves_what_others_have() {
    // What made it go past the store may have made its answer: only one that would have been answered from the store, had
    // it been fresh, tells what others would get.
    const INSISTING: [Lines<'static>; 4] = [
        &[("if-match", "\"v1\"")],
        &[("if-unmodified-since", MODIFIED)],
        &[("authorization", "Basic ann"), ("cache-control", "no-cache")],
        &[("cookie", "__prerender_bypass=1")],
    ];
    let reply = |seen: &Seen| match seen.method.as_str() {
        "HEAD" => Reply::ok("").header("etag", "\"v2\"").header("content-length", "9").header("x-state", "other"),
        _ => validated(60),
    };
    let (origin, gateway) = in_front_of(reply, ", bypass: { cookies: [__prerender_bypass] }").await;
    for (case, lines) in INSISTING.into_iter().enumerate() {
        page(&gateway, case, &[]).await;
        let head = Client::connect(gateway.address()).await.request("HEAD", &format!("/p?{case}"), lines, "").await;
        assert_eq!((head.x_cache(), head.header("etag")), ("PASS", Some("\"v2\"")), "{lines:?}");
        let later = page(&gateway, case, &[]).await;
        assert_eq!((essence(&later), later.header("x-state")), (("HIT", "page"), None), "{lines:?}");
        assert_eq!(runs(&origin, case), 2, "{lines:?}");
    }
}

#[tokio::test]
async fn promise_4_a_head_from_before_a_change_says_nothing_of_what_came_after() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| match (seen.method.as_str(), seen.header("x-early")) {
        ("HEAD", Some(_)) => Reply::ok("").header("etag", "\"v1\"").header("content-length", "4").gate(&held),
        ("POST", _) => Reply::ok(""),
        _ => Reply::ok("after").header("etag", "\"v2\"").header("cache-control", "max-age=60"),
    };
    let (origin, gateway) = in_front_of(reply, "").await;
    let mut early = Client::connect(gateway.address()).await;
    early.send("HEAD", "/p", &[("x-early", "1"), ("cache-control", "no-cache")], "").await;
    gate.arrived(1).await;
    ask(&gateway, "POST", &[]).await;
    assert_eq!(essence(&visit(&gateway, &[]).await), ("MISS", "after"));
    gate.open();
    assert_eq!(early.read_response("HEAD").await.header("etag"), Some("\"v1\""));
    assert_eq!(essence(&visit(&gateway, &[]).await), ("HIT", "after"));
    assert_eq!(origin.count("/p"), 3);
}
