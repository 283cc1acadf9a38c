//! The sections about bodies: JSON, forms, webhooks, and answers that come bit by bit.

use std::time::{Duration, Instant};

use evergate_tests::{Client, Gateway, Response};

use super::{Lines, ask, chunked, demo, three_ways};

/// The same request twice, with its length and in chunks; both must be answered alike.
async fn both(gateway: &Gateway, target: &str, kind: &str, body: &[u8]) -> Response {
    let whole = ask(gateway, "POST", target, &[("content-type", kind)], body).await;
    let lines: Lines<'_> = &[("content-type", kind), ("transfer-encoding", "chunked")];
    let pieces = ask(gateway, "POST", target, lines, chunked(body)).await;
    assert_eq!((whole.status, &whole.body), (pieces.status, &pieces.body), "{target}: by length and in chunks");
    assert_eq!((whole.x_cache(), pieces.x_cache()), ("PASS", "PASS"), "{target}");
    assert!(whole.complete && pieces.complete, "{target}");
    whole
}

#[tokio::test]
async fn request_bodies_in_json_are_read_whole() {
    let rows = [
        (r#"{"a":1}"#, r#"{"res":{"a":1}}"#),
        (
            r#"{"list":[1,2,{"three":null}],"text":"Zo\u00eb 🦀"}"#,
            r#"{"res":{"list":[1,2,{"three":null}],"text":"Zoë 🦀"}}"#,
        ),
        ("[]", r#"{"res":[]}"#),
        ("null", r#"{"res":null}"#),
        (" \"text\"\r\n", r#"{"res":"text"}"#),
    ];
    for (way, gateway) in three_ways("/items").await {
        for (body, expected) in rows {
            let response = both(&gateway, "/items", "application/json", body.as_bytes()).await;
            assert_eq!((response.status, response.text()), (200, expected), "{way}");
            assert_eq!(response.header("content-type"), Some("application/json"), "{way}");
        }
        let response = both(&gateway, "/items", "application/json", b"{").await;
        assert_eq!(response.status, 400, "{way}: the handler's own refusal");
        let large = format!("\"{}\"", "x".repeat(1 << 20));
        let response = both(&gateway, "/items", "application/json", large.as_bytes()).await;
        assert_eq!(response.body.len(), large.len() + "{\"res\":}".len(), "{way}");
    }
}

#[tokio::test]
async fn form_data_is_read_in_both_forms() {
    const FORM: &str = "application/x-www-form-urlencoded";
    const PARTS: &str = "multipart/form-data; boundary=\"limit-1\"";
    let part = |name: &str, value: &str| {
        format!("--limit-1\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let end = "--limit-1--\r\n";
    let rows = [
        (FORM, String::from("name=Zo%C3%AB&email=zoe%40example.com"), r#"{"name":"Zoë","email":"zoe@example.com"}"#),
        (FORM, String::from("email=a%26b&name=A+B"), r#"{"name":"A B","email":"a&b"}"#),
        (FORM, String::from("name=first&name=second"), r#"{"name":"first","email":null}"#),
        (
            PARTS,
            part("name", "Zoë") + &part("email", "zoe@example.com") + end,
            r#"{"name":"Zoë","email":"zoe@example.com"}"#,
        ),
        (PARTS, part("email", "--limit\r\n--limit-2") + end, r#"{"name":null,"email":"--limit\r\n--limit-2"}"#),
        (PARTS, part("name", "") + end, r#"{"name":"","email":null}"#),
    ];
    for (way, gateway) in three_ways("/items/form").await {
        for (kind, body, expected) in &rows {
            let response = both(&gateway, "/items/form", kind, body.as_bytes()).await;
            assert_eq!((response.status, response.text()), (200, *expected), "{way} {kind}");
        }
    }
}

#[tokio::test]
async fn webhooks_get_the_text_that_was_signed() {
    // With NUL, line ends of every kind, and every length of UTF-8 sequence.
    let payload = "{\"event\": \"paid\",\r\n\t\"by\": \"Zo\u{eb} \u{20ac} \u{1f980}\"}\0\n\r \u{7f}";
    for (way, gateway) in three_ways("/api/webhook").await {
        for kind in ["application/json", "text/plain; charset=utf-8", "application/octet-stream"] {
            let response = both(&gateway, "/api/webhook", kind, payload.as_bytes()).await;
            let json = response.json();
            assert_eq!((response.status, json["message"].as_str()), (200, Some("Success!")), "{way}");
            assert_eq!(
                (json["text"].as_str(), json["bytes"].as_u64()),
                (Some(payload), Some(payload.len() as u64)),
                "{way}"
            );
        }
        let response = both(&gateway, "/api/webhook", "text/plain", b"not text: \xff\xfe").await;
        assert_eq!((response.status, response.text().starts_with("Webhook error: ")), (400, true), "{way}");
        let response = both(&gateway, "/api/webhook", "text/plain", b"").await;
        assert_eq!(response.json()["bytes"], 0, "{way}");
    }
}

#[tokio::test]
async fn webhooks_arrive_byte_for_byte_whatever_the_bytes() {
    // Every byte, every pair of neighbours, what looks like framing, and no text at all.
    let mut payload: Vec<u8> = (0..=255_u8).flat_map(|first| (0..=255_u8).map(move |second| first ^ second)).collect();
    payload.extend_from_slice(b"\r\n0\r\n\r\nPOST / HTTP/1.1\r\nhost: a\r\n\r\n\0\xff\xfe\xc3\x28");
    for (way, gateway) in three_ways("/api/echo").await {
        for kind in ["application/octet-stream", "text/plain", "application/vnd.acme+json; v=\"1\""] {
            let response = both(&gateway, "/api/echo", kind, &payload).await;
            assert_eq!((response.status, response.header("content-type")), (200, Some(kind)), "{way}");
            assert!(response.body == payload, "{way} {kind}: {} bytes came back", response.body.len());
        }
    }
}

/// Reads an answer that comes bit by bit: its text, and how long after its first piece its last one came. What is made in
/// pieces may arrive in fewer, on a busy machine, but not in one.
async fn in_pieces(client: &mut Client) -> (String, Duration) {
    let (mut text, mut moments) = (String::new(), Vec::<Instant>::new());
    while let Some((at, piece)) = client.next_chunk().await {
        text.push_str(&String::from_utf8_lossy(&piece));
        moments.push(at);
    }
    assert!(client.complete() && moments.len() > 1, "{} pieces: {text}", moments.len());
    (text, moments[moments.len() - 1] - moments[0])
}

#[tokio::test]
async fn streaming_brings_the_first_piece_before_the_last_is_made() {
    for (way, gateway) in three_ways("/stream").await {
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", "/stream", &[], "").await;
        let head = client.read_head().await;
        assert_eq!(head.x_cache(), if way == "kept" { "MISS" } else { "PASS" });
        let (text, apart) = in_pieces(&mut client).await;
        assert_eq!(text, "<p>One</p>\n<p>Two</p>\n<p>Three</p>\n<p>Four</p>\n<p>Five</p>\n", "{way}");
        // The last is made 800 ms after the first; a busy machine may read the first one late.
        assert!(apart >= Duration::from_millis(400), "{way}: {apart:?}");
    }
}

#[tokio::test]
async fn streaming_answers_to_a_post_come_word_by_word() {
    let body = r#"{"messages":[{"role":"user","content":"no"},{"role":"user","content":"one two three four five"}]}"#;
    for (way, gateway) in three_ways("/api/chat").await {
        let mut client = Client::connect(gateway.address()).await;
        client.send("POST", "/api/chat", &[("content-type", "application/json")], body).await;
        let head = client.read_head().await;
        assert_eq!((head.status, head.x_cache(), head.header("content-length")), (200, "PASS", None), "{way}");
        let (text, apart) = in_pieces(&mut client).await;
        assert_eq!(text, "one two three four five", "{way}");
        assert!(apart >= Duration::from_millis(200), "{way}: {apart:?}");
    }
}

#[tokio::test]
async fn streaming_without_an_end_goes_on_as_long_as_somebody_reads() {
    let gateway = demo("[]").await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", "/events", &[("accept", "text/event-stream")], "").await;
    let head = client.read_head().await;
    assert_eq!((head.x_cache(), head.header("content-type")), ("PASS", Some("text/event-stream")));
    for tick in 0..2 {
        let (_, event) = client.next_chunk().await.expect("an event");
        assert!(event.starts_with(format!("id: {tick}\n").as_bytes()), "{event:?}");
    }
}

#[tokio::test]
async fn streaming_is_heard_again_at_once_where_it_is_kept() {
    let gateway = demo("[{ path: /stream, revalidate: 1h }]").await;
    assert_eq!(ask(&gateway, "GET", "/stream", &[], "").await.x_cache(), "MISS");
    let again = ask(&gateway, "GET", "/stream", &[], "").await;
    assert_eq!((again.x_cache(), again.header("content-length")), ("HIT", Some("59")));
    assert_eq!(again.text().matches("<p>").count(), 5);
}
