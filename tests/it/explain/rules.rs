//! What the rules did to a request, rule by rule.

use evergate_tests::{Client, Gateway, Origin};
use serde_json::{Value, json};

use super::explain;

const ROUTES: &str = " [{ path: '/items/[slug]', revalidate: 1h, vary: [x-tenant] }, { path: /live }]";

/// A gateway with these rules (a YAML list) and other settings, whose origin nobody has reason to ask.
async fn with_rules(rules: &str) -> Gateway {
    let origin = Origin::start().await;
    Gateway::start(&format!("{}proxy:\n{rules}\n", Gateway::simple_config(&origin, ROUTES))).await
}

/// The rules that an explanation tells of, each without what it says nothing of.
fn told(explanation: &Value) -> Vec<Value> {
    let something = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => true,
    };
    let something_of = |fields: &serde_json::Map<String, Value>| -> Value {
        Value::Object(fields.clone().into_iter().filter(|(_, value)| something(value)).collect())
    };
    let rules = explanation["rules"].as_array().expect("a list of rules");
    let clean = |value: &Value| value.as_object().map_or_else(|| value.clone(), something_of);
    let told = |rule: &Value| {
        let fields = rule.as_object().expect("a rule is an object");
        something_of(&fields.iter().map(|(key, value)| (key.clone(), clean(value))).collect())
    };
    rules.iter().map(told).collect()
}

const EVERY_KIND: &str = "
- response_headers: { set: { x-frame-options: DENY }, remove: [server] }
- matcher: { source: '/pretty/:slug', has: [{ type: header, key: x-tenant }], missing: [{ type: cookie, key: mode, value: plain }] }
  rewrite: { to: '/items/:slug' }
  request_headers: { set: { x-slug: ':slug', cookie: 'id=s3cret' }, append: { x-tenant: b }, remove: [x-old] }
  response_headers: { append: { x-slug: ':slug' } }
- { matcher: '/old/:path*', redirect: { to: '/live/:path*', status: 308 } }
- { matcher: [/closed, { source: '/shut/:what', has: [{ type: host, value: acme.com }, { type: query, key: q }] }], respond: { status: 403 } }";

#[tokio::test]
async fn each_rule_that_is_about_a_request_is_told_with_what_it_did() {
    let gateway = with_rules(EVERY_KIND).await;
    let first =
        json!({ "rule": "proxy[0]", "response_headers": { "set": ["x-frame-options: DENY"], "remove": ["server"] } });
    let cases = [
        ("url=/live", vec![]),
        (
            "url=/old/a%2520b?x=1",
            vec![json!({
                "rule": "proxy[2]", "matcher": "/old/:path*", "captured": { "path": "a%20b" },
                "redirect": { "status": 308, "to": "/live/a%20b?x=1" },
            })],
        ),
        (
            "url=http://acme.com/shut/it?q=1",
            vec![json!({
                "rule": "proxy[3]",
                "matcher": "/closed | /shut/:what, has host = acme.com, has query q",
                "captured": { "what": "it", "host": "acme.com", "q": "1" },
                "respond": { "status": 403 },
            })],
        ),
        (
            "url=/pretty/a&header=x-tenant:+a",
            vec![json!({
                "rule": "proxy[1]",
                "matcher": "/pretty/:slug, has header x-tenant, missing cookie mode = plain",
                "captured": { "slug": "a", "xtenant": "a" },
                "rewrite": { "from": "/pretty/a", "to": "/items/a" },
                "request_headers": {
                    "set": ["x-slug: a", "cookie: (not told)"], "append": ["x-tenant: b"], "remove": ["x-old"],
                },
                "response_headers": { "append": ["x-slug: a"] },
            })],
        ),
        ("url=/pretty/a", vec![]),
    ];
    for (query, mut rules) in cases {
        rules.insert(0, first.clone());
        let explanation = explain(&gateway, query).await;
        assert_eq!(told(&explanation), rules, "{query}");
        assert!(!explanation.to_string().contains("s3cret"), "credentials are told to nobody");
    }
}

#[tokio::test]
async fn what_rules_change_is_told_all_in_all() {
    let gateway = with_rules(EVERY_KIND).await;
    let explanation = explain(&gateway, "url=/pretty/a&header=x-tenant:+a").await;
    let request = &explanation["request_headers"];
    assert_eq!(request["append"], json!(["x-tenant: b"]));
    // The route is kept for all: what is not in its key reaches no handler.
    assert_eq!(request["withheld"], json!(["x-slug", "cookie"]));
    assert_eq!(
        explanation["key"]["vary"],
        json!({ "x-tenant": "a, b" }),
        "the key is that of the request after the rules"
    );
    let answer = &explanation["response_headers"];
    assert_eq!((&answer["set"], &answer["append"]), (&json!(["x-frame-options: DENY"]), &json!(["x-slug: a"])));
    assert_eq!(answer["vary"], json!(["cookie", "x-tenant"]));
    // Of each name only the last word counts.
    let gateway = with_rules(
        "- response_headers: { set: { x-a: first, x-b: first }, append: { x-c: first } }\n\
         - response_headers: { set: { x-a: last }, remove: [x-b], append: { x-c: last } }\n\
         - response_headers: { append: { x-a: beside, set-cookie: a=b } }",
    )
    .await;
    let answer = explain(&gateway, "url=/live").await["response_headers"].clone();
    assert_eq!(answer["set"][0], "x-a: last");
    assert_eq!(answer["set"][1], "x-a: beside");
    assert_eq!(answer["append"], json!(["x-c: first", "x-c: last", "set-cookie: a=b"]));
    // A cookie makes the answer private, which the visitor is told too.
    assert!(answer["set"][2].as_str().is_some_and(|line| line.starts_with("cache-control: private")), "{answer}");
    assert!(answer["remove"].as_array().is_some_and(|names| names.contains(&"x-b".into())), "{answer}");
}

#[tokio::test]
async fn a_chain_of_rewrites_is_told_step_by_step() {
    let gateway = with_rules(
        "- { matcher: '/a/:x', rewrite: { to: '/b/:x?from=a' } }\n\
         - { matcher: '/c/:x', rewrite: { to: '/never' } }\n\
         - { matcher: '/b/:x', rewrite: { to: '/items/:x' } }",
    )
    .await;
    let explanation = explain(&gateway, "url=/a/1").await;
    let rewrites: Vec<Value> = told(&explanation).iter().map(|rule| json!([rule["rule"], rule["rewrite"]])).collect();
    let expected = [
        json!(["proxy[0]", { "from": "/a/1", "to": "/b/1?from=a" }]),
        json!(["proxy[2]", { "from": "/b/1?from=a", "to": "/items/1?from=a" }]),
    ];
    assert_eq!(rewrites, expected);
    assert_eq!(explanation["asked"], "/a/1");
    assert_eq!((&explanation["target"], &explanation["route"]), (&"/items/1?from=a".into(), &"/items/[slug]".into()));
}

#[tokio::test]
async fn who_answers_elsewhere_is_told() {
    let origin = Origin::start().await;
    let config = Gateway::simple_config(&origin, ROUTES).replace(
        "upstreams: { origin:",
        "defaults: { upstream: origin }\nupstreams: { legacy: { servers: [\"127.0.0.1:9\"] }, origin:",
    );
    let gateway = Gateway::start(&format!(
        "{config}proxy:\n\
         - {{ matcher: '/items/:x', rewrite: {{ upstream: legacy }} }}\n\
         - {{ matcher: '/old/:x', rewrite: {{ to: '/items/:x', upstream: legacy }} }}\n"
    ))
    .await;
    for (path, from) in [("/items/a", "/items/a"), ("/old/a", "/old/a")] {
        let explanation = explain(&gateway, &format!("url={path}")).await;
        let rewrite = &explanation["rules"][0]["rewrite"];
        assert_eq!(rewrite, &json!({ "from": from, "to": "/items/a", "upstream": "legacy" }));
        assert_eq!(explanation["upstream"]["servers"][0]["address"], "127.0.0.1:9", "{explanation}");
        assert_eq!(explanation["key"]["upstream"], "legacy", "{explanation}");
    }
}

#[tokio::test]
async fn what_comes_behind_an_end_is_told_as_not_counted() {
    let gateway = with_rules(
        "- { matcher: /a, response_headers: { set: { x-one: '1' } } }\n\
         - { matcher: /a, respond: { status: 410 } }\n\
         - { matcher: { source: /a, has: [{ type: header, key: x-a }] }, redirect: { to: /b }, request_headers: { remove: [x] } }\n\
         - { matcher: /a, rewrite: { to: /b }, response_headers: { set: { x-two: '2' } } }\n\
         - { matcher: '/:any', respond: { status: 200 } }",
    )
    .await;
    let explanation = explain(&gateway, "url=/a&header=x-a:+1").await;
    let rules = told(&explanation);
    let idle: Vec<Value> = rules.iter().map(|rule| rule["idle"]["keys"].clone()).collect();
    let expected =
        [Value::Null, Value::Null, json!(["redirect", "request_headers"]), json!(["rewrite"]), json!(["respond"])];
    assert_eq!(idle, expected);
    for rule in &rules[2..] {
        assert_eq!(rule["idle"]["because"], "proxy[1] has ended the request");
        assert!(rule["redirect"].is_null() && rule["rewrite"].is_null() && rule["respond"].is_null(), "{rule}");
    }
    let answer = &explanation["response_headers"];
    assert_eq!(answer["set"], json!(["x-one: 1", "x-two: 2"]), "the answer's fields count, whatever their place");
    // The answer does not depend on what was only looked at to tell of it.
    assert_eq!(answer["vary"], json!([]));
    let visitor = Client::connect(gateway.address()).await.get_with("/a", &[("x-a", "1")]).await;
    assert_eq!((visitor.status, visitor.header("vary"), visitor.header("x-two")), (410, None, Some("2")));
}

#[tokio::test]
async fn what_the_gateway_answers_by_itself_is_no_rules() {
    let gateway =
        with_rules("- { redirect: { to: /b }, response_headers: { set: { x-a: '1' } } }\nhosts: [acme.com]").await;
    for (query, status) in [("url=http://other.com/a", 421), ("url=http://acme.com/x//y", 308)] {
        let explanation = explain(&gateway, query).await;
        let idle = &explanation["rules"][0]["idle"];
        assert_eq!((&explanation["status"], &idle["keys"]), (&status.into(), &json!(["redirect"])), "{query}");
        assert!(idle["because"].as_str().is_some_and(|why| why.contains("by itself")), "{idle}");
        assert_eq!(explanation["response_headers"]["set"], json!(["x-a: 1"]), "{query}");
    }
    // Who names no host asks for the first.
    assert_eq!(explain(&gateway, "url=/a").await["host"], "acme.com");
    // What cannot be read meets no matcher.
    for query in ["url=/%25zz", "url=/a&method=CONNECT"] {
        let explanation = explain(&gateway, query).await;
        assert_eq!((told(&explanation).len(), &explanation["rules"]), (0, &json!([])), "{query}");
    }
}

#[tokio::test]
async fn the_rule_with_which_judging_fails_is_told() {
    let gateway = with_rules(&format!(
        "- response_headers: {{ set: {{ x-all: '1' }} }}\n\
         - {{ matcher: /turn, rewrite: {{ to: '/round/0' }} }}\n\
         {}\
         - {{ matcher: {{ source: /shop, has: [{{ type: header, key: x-shop }}] }}, redirect: {{ to: 'https://:xshop.acme.com/' }} }}\n\
         - {{ matcher: '/slow/:a((?:a|a)*(?!b)c)', respond: {{ status: 200 }} }}\n\
         - {{ matcher: '/:path*', response_headers: {{ set: {{ x-late: '1' }} }} }}",
        (0..8)
            .map(|turn| format!("- {{ matcher: /round/{turn}, rewrite: {{ to: '/round/{}' }} }}\n", turn + 1))
            .collect::<String>(),
    ))
    .await;
    let slow = format!("url=/slow/{}", "a".repeat(600));
    let unbuildable = "the target of a rule cannot be made of this request";
    let cases = [
        ("url=/shop&header=x-shop:+a/b", 400, "proxy[10]", unbuildable),
        ("url=/turn", 508, "proxy[9]", "more than 8 rewrites follow each other"),
        (slow.as_str(), 400, "proxy[11]", "it takes too long to tell whether a rule applies"),
    ];
    for (query, status, rule, why) in cases {
        let explanation = explain(&gateway, query).await;
        let rules = told(&explanation);
        let last = rules.last().expect("one fails");
        assert_eq!((&last["rule"], &last["failed"]), (&rule.into(), &why.into()), "{query}: {explanation}");
        assert_eq!((&explanation["status"], &explanation["detail"]), (&status.into(), &why.into()), "{query}");
        assert_eq!(explanation["response_headers"]["set"], json!(["x-all: 1"]), "{query}");
    }
}
