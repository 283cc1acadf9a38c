//! What an order may say, and how it is told what is wrong with it.

use std::time::Duration;

use super::{CONCURRENCY, MAX_TOLD_PROBLEMS, Order, OrderError};

fn problems(body: &str) -> Vec<String> {
    match Order::read(body.as_bytes()) {
        Err(OrderError::Problems(problems)) => problems,
        other => panic!("no problems with {body}: {other:?}"),
    }
}

#[test]
fn an_order_is_read() {
    let whole = r#"{"sitemaps":["/sitemap.xml"],"urls":["/a","https://b.com/c"],"params":true,"concurrency":2,"rate":4,"limit":9}"#;
    let expected = Order {
        sitemaps: vec!["/sitemap.xml".to_owned()],
        urls: vec!["/a".to_owned(), "https://b.com/c".to_owned()],
        params: true,
        concurrency: 2,
        step: Some(Duration::from_millis(250)),
        limit: Some(9),
    };
    assert_eq!(Order::read(whole.as_bytes()).expect("an order"), expected);
    // What is not said, or null, is as it is without.
    for body in [r#"{"params":true}"#, r#"{"params":true,"rate":null,"concurrency":null,"urls":null,"limit":null}"#] {
        let order = Order::read(body.as_bytes()).expect("an order");
        assert_eq!((order.concurrency, order.step, order.limit), (CONCURRENCY, None, None), "{body}");
    }
}

#[test]
fn everything_that_is_wrong_is_told() {
    assert_eq!(
        problems(
            r#"{"sitemaps":["https://evil.example/s.xml",7,"//x"],"urls":["/a",null],"params":"yes","concurrency":0,
            "rate":"fast","limit":0,"url":"/a"}"#
        ),
        [
            "`sitemaps[0]`: expected a path of this site (`/sitemap.xml`); `evergate warm --sitemap` reads sitemaps elsewhere, \
             found \"https://evil.example/s.xml\"",
            "`sitemaps[1]`: expected a path of this site (`/sitemap.xml`); `evergate warm --sitemap` reads sitemaps elsewhere, \
             found 7",
            "`sitemaps[2]`: expected a path of this site (`/sitemap.xml`); `evergate warm --sitemap` reads sitemaps elsewhere, \
             found \"//x\"",
            "`urls[1]`: expected a URL or a path, found null",
            "`params`: expected true or false, found \"yes\"",
            "`concurrency`: expected a number from 1 to 256, found 0",
            "`rate`: expected pages a second, from 0.01 to 100000, found \"fast\"",
            "`limit`: expected a number of pages, at least 1, found 0",
            "`url`: expected `sitemaps`, `urls`, `params`, `concurrency`, `rate` or `limit`",
        ]
    );
}

#[test]
fn values_out_of_bounds_are_told() {
    for (setting, name) in [
        (r#""concurrency":257"#, "concurrency"),
        (r#""concurrency":1.5"#, "concurrency"),
        (r#""concurrency":-1"#, "concurrency"),
        (r#""rate":0"#, "rate"),
        (r#""rate":-1"#, "rate"),
        (r#""rate":0.001"#, "rate"),
        (r#""rate":1e300"#, "rate"),
        (r#""limit":1e3"#, "limit"),
        (r#""urls":"/a""#, "urls"),
        (r#""urls":{"a":1}"#, "urls"),
    ] {
        let problems = problems(&format!("{{\"params\":true,{setting}}}"));
        assert!(
            matches!(problems.as_slice(), [only] if only.starts_with(&format!("`{name}`: expected "))),
            "{problems:?}"
        );
    }
}

#[test]
fn what_is_no_order_is_told() {
    for body in ["{}", r#"{"urls":[]}"#, r#"{"params":false,"sitemaps":[]}"#] {
        assert_eq!(problems(body), ["nothing to warm up: give `sitemaps`, `urls` or `params`"], "{body}");
    }
    for body in ["[]", "null", "\"/a\""] {
        assert!(problems(body)[0].starts_with("expected an object with "), "{body}");
    }
    for body in ["", "{", "urls=/a", "{\"urls\":[\"/a\"]} x"] {
        assert!(matches!(Order::read(body.as_bytes()), Err(OrderError::Json(_))), "{body}");
    }
}

#[test]
fn problems_are_told_up_to_a_number() {
    let body = format!("{{\"urls\":[{}]}}", vec!["1"; MAX_TOLD_PROBLEMS + 5].join(","));
    let told = problems(&body);
    assert_eq!((told.len(), told.last().map(String::as_str)), (MAX_TOLD_PROBLEMS + 1, Some("and 5 more")));
    let long = problems(&format!("{{\"params\":\"{}\"}}", "\u{e9}".repeat(1000)));
    assert!(long[0].len() < 200 && long[0].ends_with('\u{2026}'), "{}", long[0]);
}
