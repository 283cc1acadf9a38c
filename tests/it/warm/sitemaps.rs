//! Sitemaps of the gateway's own site, which its upstream is asked for.

use evergate_tests::{Client, Gateway, Origin, Reply, get};
use serde_json::json;

use super::{gzip, index, items, numbers, problem, sitemap, warm};

const ITEMS: &str = "- { path: '/items/[slug]', revalidate: 1h }";

#[tokio::test]
async fn an_index_leads_to_lists_and_they_to_pages() {
    let origin = Origin::start().await;
    items(&origin);
    origin.on("/sitemap.xml", |_| {
        Reply::ok(index(&["https://acme.com/one.xml", "/two.xml.gz", "https://acme.com/sitemap.xml"]))
    });
    origin.on("/one.xml", |_| {
        Reply::ok(sitemap(&["https://acme.com/items/a", "https://acme.com/items/b?x=1&amp;y=2", "/items/a#part"]))
    });
    origin.on("/two.xml.gz", |_| Reply::ok(gzip(&sitemap(&["/items/c", "/about"]))));
    let gateway = Gateway::simple(&origin, ITEMS).await;
    let summary = warm(&gateway, &json!({ "sitemaps": ["/sitemap.xml"], "concurrency": 1 })).await;
    assert_eq!(numbers(&summary), [3, 0, 0, 1], "{summary}");
    for path in ["/items/a", "/items/b?x=1&y=2", "/items/c"] {
        assert_eq!(get(gateway.address(), path).await.x_cache(), "PRERENDER", "{path}");
    }
    for path in ["/sitemap.xml", "/one.xml", "/two.xml.gz"] {
        assert_eq!(origin.count(path), 1, "{path}");
    }
}

#[tokio::test]
async fn what_is_no_sitemap_is_told() {
    let origin = Origin::start().await;
    items(&origin);
    origin.on("/html", |_| Reply::ok("<html>not found</html>"));
    origin.on("/cut", |_| Reply::ok(sitemap(&["/items/x"])).hang_up_after(20));
    origin.on("/broken", |_| Reply::ok("<urlset><url></urlset>"));
    origin.on("/good", |_| Reply::ok(sitemap(&["/items/a"])));
    let routes = format!("{ITEMS}\nproxy:\n- {{ matcher: /closed, respond: {{ status: 403 }} }}");
    let gateway = Gateway::simple(&origin, &routes).await;
    let sitemaps = ["/html", "/cut", "/broken", "/missing", "/closed", "/good"];
    let summary = warm(&gateway, &json!({ "sitemaps": sitemaps, "urls": ["/items/b"] })).await;
    assert_eq!(numbers(&summary), [2, 0, 0, 0], "{summary}");
    assert_eq!(summary["failed_lists"], 5, "{summary}");
    for (url, why) in [
        ("/html", "no sitemap: expected a sitemap (`urlset`) or an index of sitemaps (`sitemapindex`), found `html`"),
        ("/cut", "the list is not whole, or longer than 52428800 bytes"),
        ("/broken", "no sitemap: it is no well-formed XML"),
        ("/missing", "the handler service answered with 404 Not Found"),
        ("/closed", "a request for it is not answered from the cache"),
    ] {
        assert_eq!(problem(&summary, url), why);
    }
}

#[tokio::test]
async fn sitemaps_beyond_their_number_are_told() {
    let origin = Origin::start().await;
    items(&origin);
    origin.on("/maps/*", |seen| Reply::ok(sitemap(&[&seen.target.replace("maps", "items")])));
    let gateway = Gateway::simple(&origin, ITEMS).await;
    let sitemaps: Vec<String> = (0..1_002).map(|number| format!("/maps/{number}")).collect();
    let summary = warm(&gateway, &json!({ "sitemaps": sitemaps })).await;
    assert_eq!(numbers(&summary), [1_000, 0, 0, 0], "{summary}");
    assert_eq!((&summary["failed_lists"], origin.count("/maps/*")), (&json!(2), 1_000), "{summary}");
    for url in ["/maps/1000", "/maps/1001"] {
        assert_eq!(problem(&summary, url), "it is beyond 1000 sitemaps, and left out");
    }
}

/// Whatever a sitemap names, nobody else than the gateway's own upstream is asked.
#[tokio::test]
async fn an_index_leads_nowhere_else() {
    let (origin, stranger) = (Origin::start().await, Origin::start().await);
    items(&origin);
    stranger.on("/*", |_| Reply::ok(sitemap(&["/items/evil"])));
    let there = format!("http://{}/s.xml", stranger.address());
    let named = there.clone();
    origin.on("/sitemap.xml", move |_| Reply::ok(index(&[&named, "/items.xml"])));
    origin.on("/items.xml", |_| Reply::ok(sitemap(&["/items/a"])));
    origin.on("/s.xml", |_| Reply::ok(sitemap(&["/items/own"])));
    // One site, whatever it is called: only the path counts.
    let gateway = Gateway::simple(&origin, ITEMS).await;
    let order = json!({ "sitemaps": ["/sitemap.xml"] });
    assert_eq!(numbers(&warm(&gateway, &order).await), [2, 0, 0, 0]);
    assert_eq!((origin.count("/items/own"), stranger.count("/*")), (1, 0));
    // Several sites: the stranger is none of them.
    let gateway = Gateway::simple(&origin, &format!("{ITEMS}\nhosts: [acme.com]")).await;
    let summary = warm(&gateway, &order).await;
    assert_eq!(numbers(&summary), [1, 0, 0, 0], "{summary}");
    assert_eq!(summary["failed_lists"], 1, "{summary}");
    assert_eq!(problem(&summary, &there), "the host 127.0.0.1 is not served here");
    assert_eq!(stranger.count("/*"), 0);
}

/// Each site has its own sitemap, and the handler is told which is meant; rules and routes lead to it.
#[tokio::test]
async fn a_sitemap_is_asked_for_as_visitors_are_led_to_it() {
    let (origin, other) = (Origin::start().await, Origin::start().await);
    items(&origin);
    origin.on("/sitemap.xml", |_| Reply::ok(index(&["https://second.example/real.xml"])));
    other.on("/maps/real.xml", |seen| {
        Reply::ok(sitemap(&[&format!("https://{}/items/a", seen.header("host").unwrap_or_default())]))
    });
    let config = Gateway::simple_config(
        &origin,
        &format!(
            "{ITEMS}\nhosts: [first.example, second.example]\nproxy:\n\
             - {{ matcher: /real.xml, rewrite: {{ to: /maps/real.xml, upstream: other }} }}"
        ),
    );
    let config =
        config.replace("upstreams: {", &format!("upstreams: {{ other: {{ servers: [\"{}\"] }},", other.address()));
    let config = config.replace("\nroutes:", "\ndefaults: { upstream: origin }\nroutes:");
    let gateway = Gateway::start(&config).await;
    let summary = warm(&gateway, &json!({ "sitemaps": ["/sitemap.xml"] })).await;
    assert_eq!(numbers(&summary), [1, 0, 0, 0], "{summary}");
    assert_eq!(origin.seen("/sitemap.xml")[0].header("host"), Some("first.example"));
    let answer = Client::connect(gateway.address()).await.get_with("/items/a", &[("host", "second.example")]).await;
    assert_eq!(answer.x_cache(), "PRERENDER");
}
