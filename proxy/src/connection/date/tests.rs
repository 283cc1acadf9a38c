//! Which bytes are a head, and what becomes of its date.

use http::HeaderValue;

use super::restored;

const OWN: &str = "Wed, 21 Oct 2015 07:28:00 GMT";

fn with_date(bytes: &str) -> Option<String> {
    restored(bytes.as_bytes(), &HeaderValue::from_static(OWN)).map(|head| String::from_utf8(head.to_vec()).unwrap())
}

#[test]
fn only_the_date_of_a_final_head_is_put_back() {
    let head = |date: &str| format!("HTTP/1.1 200 OK\r\nx: 1\r\n{date}\r\ny: 2\r\n\r\nbody\r\ndate: z\r\n");
    let cases = [
        ("written by the framework", head("Date: Mon, 23 Nov 2026 05:00:00 GMT"), Some(head(&format!("Date: {OWN}")))),
        ("in lower case", head("date: Mon"), Some(head(&format!("date: {OWN}")))),
        ("without a space", head("date:Mon"), Some(head(&format!("date: {OWN}")))),
        ("no date at all", String::from("HTTP/1.1 200 OK\r\nx: 1\r\n\r\n"), None),
        ("a date in the body only", String::from("HTTP/1.1 200 OK\r\n\r\n\r\ndate: 1\r\n"), None),
        ("another field's name", head("x-date: Mon"), None),
        ("an interim head", String::from("HTTP/1.1 103 Early Hints\r\ndate: Mon\r\n\r\n"), None),
        ("a piece of a body", String::from("\r\ndate: Mon\r\n\r\n"), None),
        ("a head that is not whole", String::from("HTTP/1.1 200 OK\r\ndate: Mon\r\n"), None),
    ];
    for (case, bytes, expected) in cases {
        assert_eq!(with_date(&bytes), expected, "{case}");
    }
}
