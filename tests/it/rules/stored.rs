//! Whatever rules say of answers, what is stored is what the handler said: a property, tried with generated rules.
//!
//! One gateway has many sets of rules, each for visitors who name it in a header. Whoever comes first, under whatever rules, the
//! handler runs once, and a visitor whom no rule is about gets what the handler said, as if there were none.

use std::collections::HashMap;
use std::fmt::Write;

use evergate_tests::{Client, Gateway, Origin, Reply, Response};

use super::Lines;

/// How many sets of rules there are, and how many pages each kind of route has.
const SETS: u64 = 96;
const PAGES: u64 = 24;

/// A generator that gives the same numbers each time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let length = u64::try_from(choices.len()).expect("a few");
        choices[usize::try_from(self.below(length)).expect("one of them")]
    }
}

/// Fields that the handler says, and some that it does not.
const NAMES: [&str; 13] = [
    "content-type",
    "cache-control",
    "cdn-cache-control",
    "vary",
    "set-cookie",
    "x-handler",
    "x-powered-by",
    "link",
    "expires",
    "access-control-allow-origin",
    "x-frame-options",
    "content-language",
    "x-rule",
];

const VALUES: [&str; 8] =
    ["no-store", "private, max-age=5", "origin", "text/html", "a=b; Path=/", "1", "*", "x :page y"];

/// What one set says of answers.
fn effect(numbers: &mut Numbers) -> String {
    let (name, value) = (numbers.one_of(&NAMES), numbers.one_of(&VALUES));
    match numbers.below(6) {
        0 => format!("response_headers: {{ set: {{ {name}: \"{value}\" }} }}"),
        1 => format!("response_headers: {{ append: {{ {name}: [\"{value}\", \"1\"] }} }}"),
        2 => format!("response_headers: {{ remove: [{name}, etag] }}"),
        3 => format!("security_headers: {}", numbers.one_of(&["basic", "strict"])),
        4 => String::from("cors: { allow_origins: \"*\", expose_headers: [x-handler] }"),
        _ => {
            let mode = numbers.one_of(&["replace", "passthrough", "enforce"]);
            format!("cors: {{ allow_origins: [\"https://a.example\"], allow_credentials: true, mode: {mode} }}")
        }
    }
}

fn rules(numbers: &mut Numbers) -> String {
    let mut text = String::from("proxy:\n");
    for set in 0..SETS {
        for _ in 0..=numbers.below(3) {
            let has = format!("has: [{{ type: header, key: x-set, value: \"{set}\" }}]");
            let effect = effect(numbers);
            writeln!(text, "- {{ matcher: {{ source: \"/:kind/:page\", {has} }}, {effect} }}").expect("a text grows");
        }
    }
    text
}

async fn start(rules: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |seen| {
        Reply::ok(format!("page {}", seen.target))
            .header("content-type", "text/plain")
            .header("content-language", "en")
            .header("x-handler", seen.target.clone())
            .header("x-powered-by", "handler")
            .header("access-control-allow-origin", "https://handler.example")
            .header("link", "</a>; rel=next")
            .header("etag", format!("\"{}\"", seen.target))
    });
    let kept = " [{ path: '/kept/[page]', revalidate: 1h }, { path: '/theirs/[page]', revalidate: origin }]";
    let gateway = Gateway::start(&format!("{}{rules}\n", Gateway::simple_config(&origin, kept))).await;
    origin.on("/theirs/*", |seen| {
        Reply::ok(format!("page {}", seen.target))
            .header("cache-control", "max-age=600")
            .header("etag", format!("\"{}\"", seen.target))
            .header("x-handler", seen.target.clone())
    });
    (origin, gateway)
}

/// What a visitor gets, less what tells when and how.
fn lasting(response: &Response) -> (u16, Vec<(String, String)>, String) {
    let headers = response.headers_without(&["age", "date", "cache-status", "x-cache", "vary"]);
    (response.status, headers, response.text().to_owned())
}

async fn visit(client: &mut Client, target: &str, lines: Lines<'_>) -> Response {
    client.get_with(target, lines).await
}

#[tokio::test]
async fn response_rules_never_change_what_is_stored() {
    let mut numbers = Numbers(5);
    let (origin, gateway) = start(&rules(&mut numbers)).await;
    let (plain_origin, plain_gateway) = start("").await;
    let mut client = Client::connect(gateway.address()).await;
    let mut plain = Client::connect(plain_gateway.address()).await;
    let mut expected = HashMap::new();
    for _ in 0..1_500 {
        let target = format!("/{}/{}", numbers.one_of(&["kept", "theirs"]), numbers.below(PAGES));
        let set = numbers.below(SETS + 8).to_string();
        let page = numbers.one_of(&["https://a.example", "https://b.example", "null"]);
        let all = [("x-set", set.as_str()), ("origin", page)];
        let said = usize::try_from(numbers.below(3)).expect("a few");
        visit(&mut client, &target, &all[..said]).await;
        let response = visit(&mut client, &target, &[]).await;
        let stored = match expected.get(&target) {
            Some(stored) => stored,
            None => {
                visit(&mut plain, &target, &[]).await;
                let alone = lasting(&visit(&mut plain, &target, &[]).await);
                expected.entry(target.clone()).or_insert(alone)
            }
        };
        // A visitor turned away fills nothing, so the next one may be the first.
        if response.x_cache() == "HIT" {
            assert_eq!(&lasting(&response), stored, "{target} after {all:?}");
        }
    }
    let asked = |origin: &Origin| origin.count("/*");
    assert_eq!((asked(&origin), asked(&plain_origin)), (expected.len(), expected.len()), "each page is made once");
    assert_eq!(expected.len(), usize::try_from(2 * PAGES).expect("a few"), "every page was asked for");
}
