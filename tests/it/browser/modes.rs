//! Whose word counts: the gateway's, the handler's, or the gateway's before the handler is even asked.

use std::sync::Arc;

use evergate_tests::{Browser, Gateway, Origin, Page, Reply};
use serde_json::json;

use super::{Stage, given, reading, refused, run};
use crate::freshness::hit;

/// A gateway in this mode that knows the friend, and handlers that know only somebody else.
async fn stage(mode: &str, friend: &Page, theirs: &Page) -> Stage {
    let rest = "allow_methods: [GET, PUT], allow_headers: [content-type]";
    let stage = Stage::start(&format!("{{ allow_origins: ['{}'], mode: {mode}, {rest} }}", friend.origin())).await;
    let allowed = theirs.origin().to_owned();
    for path in ["/live/theirs", "/kept/theirs"] {
        let allowed = allowed.clone();
        let saying = move |reply: Reply| {
            let reply = reply.header("access-control-allow-origin", allowed.clone());
            reply.header("access-control-expose-headers", "x-theirs").header("x-theirs", "1")
        };
        stage.origin.on(path, move |_| saying(Reply::ok("theirs")));
    }
    stage
}

#[tokio::test]
async fn the_handlers_own_word_counts_where_it_is_passed_through() {
    let browser = Browser::start().await;
    let (friend, theirs) = (browser.page("127.0.0.1").await, browser.page("127.0.0.1").await);
    for (mode, reader, other) in [("passthrough", &theirs, &friend), ("replace", &friend, &theirs)] {
        let stage = stage(mode, &friend, &theirs).await;
        for path in ["/live/theirs", "/kept/theirs"] {
            let url = stage.url(path);
            let answer = given(reader.fetch(&url, reading()).await);
            let exposed = (mode == "passthrough").then_some("1");
            assert_eq!((&*answer.body, answer.header("x-theirs")), ("theirs", exposed), "{mode} {path}");
            refused(other.fetch(&url, reading()).await);
            hit(stage.gateway.address(), "/kept/theirs").await;
            given(reader.fetch(&url, reading()).await);
        }
        // A handler that says nothing leaves it to the gateway.
        given(friend.fetch(&stage.url("/live/silent"), reading()).await);
        refused(theirs.fetch(&stage.url("/live/silent"), reading()).await);
    }
}

#[tokio::test]
async fn a_gateway_that_enforces_keeps_strangers_from_the_handler() {
    let browser = Browser::start().await;
    let (friend, stranger) = (browser.page("127.0.0.1").await, browser.page("127.0.0.1").await);
    // A form's request, which no browser asks about first.
    let simple = json!({ "method": "POST", "headers": { "content-type": "text/plain" }, "body": "pay" });
    for (mode, arrives) in [("replace", 1), ("enforce", 0)] {
        let stage = stage(mode, &friend, &stranger).await;
        for init in [reading(), simple.clone()] {
            let before = stage.origin.count("/live/a");
            refused(stranger.fetch(&stage.url("/live/a"), init.clone()).await);
            assert_eq!(stage.origin.count("/live/a") - before, arrives, "{mode} {init}");
            given(friend.fetch(&stage.url("/live/a"), init).await);
        }
        // And what is stored is not given away either, nor fetched for them.
        refused(stranger.fetch(&stage.url("/kept/a"), reading()).await);
        assert_eq!(stage.origin.count("/kept/a"), arrives, "{mode}");
        given(friend.fetch(&stage.url("/kept/a"), reading()).await);
        refused(stranger.fetch(&stage.url("/kept/a"), reading()).await);
        assert_eq!(stage.origin.count("/kept/a"), 1, "{mode}");
    }
}

#[tokio::test]
async fn pages_of_the_gateways_own_are_no_strangers_to_it() {
    let browser = Browser::start().await;
    let stranger = browser.page("127.0.0.1").await;
    let origin = Arc::new(Origin::start().await);
    origin.on_counted("/live/*", run);
    // The strictest policy under which browsers still say where a form is from.
    let policy = "response_headers: { set: { referrer-policy: same-origin } }";
    let rules = format!("proxy: [{{ cors: {{ allow_origins: ['https://acme.com'], mode: enforce }}, {policy} }}]");
    let gateway = Gateway::start(&format!("{}{rules}\n", Gateway::simple_config(&origin, ""))).await;
    let own = browser.page_through(gateway.address(), &origin).await;
    let url = format!("http://{}/live/a", gateway.address());
    for (run, method) in ["GET", "POST", "PUT", "DELETE"].into_iter().enumerate() {
        refused(stranger.fetch(&url, json!({ "method": method })).await);
        let answer = given(own.fetch(&url, json!({ "method": method })).await);
        assert_eq!(answer.body, format!("{method} {} ", run + 1));
        // Nothing of it is a matter of CORS: the page reads every header.
        assert_eq!(answer.header("x-other"), Some("1"), "{method}");
    }
    let (posted, refused) = (own.run(&form(&url)).await, stranger.run(&form(&url)).await);
    assert_eq!((posted, refused), (json!("POST 5 "), json!(null)), "what a page may see of what its form brought");
    assert_eq!(origin.count("/live/a"), 5);
}

/// A script that sends a form, into a frame, and reads what came of it, if the page may.
fn form(url: &str) -> String {
    let script = "
        const frame = document.createElement('iframe');
        frame.name = 'answer';
        const form = Object.assign(document.createElement('form'), { method: 'post', action: URL, target: frame.name });
        document.body.append(frame, form);
        const loaded = new Promise(resolve => frame.addEventListener('load', resolve));
        form.submit();
        await loaded;
        return frame.contentDocument?.body.innerText ?? null;";
    script.replace("URL", &json!(url).to_string())
}
