//! The service as the gateway meets it: over TCP, byte for byte.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::{Demo, HANDLERS, MAX_BODY, TRY};

/// Nothing here takes longer; a hang becomes a failure.
const BOUND: Duration = Duration::from_secs(10);

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_268_800)
}

async fn start() -> (SocketAddr, watch::Sender<bool>) {
    let (stop, shutdown) = watch::channel(false);
    let address = Demo::start(noon, shutdown).await.unwrap();
    (address, stop)
}

struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("no status line in {:?}", self.head))
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

async fn connect(address: SocketAddr, request: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream
}

/// Reads until `done` holds for what has come so far, or until the end when it never does.
async fn read_until(stream: &mut TcpStream, done: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    timeout(BOUND, async { while !done(&bytes) && stream.read_buf(&mut bytes).await.unwrap() > 0 {} })
        .await
        .unwrap_or_else(|_| panic!("no end after {:?}", String::from_utf8_lossy(&bytes)));
    bytes
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// One request on a connection of its own; the answer must not be chunked.
async fn ask(address: SocketAddr, method: &str, target: &str, lines: &str, body: &[u8]) -> Answer {
    let length = body.len();
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\ncontent-length: {length}\r\n{lines}\r\n"
    )
    .into_bytes();
    request.extend_from_slice(body);
    let mut stream = connect(address, &request).await;
    let bytes = read_until(&mut stream, |_| false).await;
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(&bytes)));
    Answer { head: String::from_utf8(bytes[..end].to_vec()).unwrap(), body: bytes[end + 4..].to_vec() }
}

/// Method, target, header lines, body; status, answer.
type Exchange<'a> = (&'a str, &'a str, &'a str, &'a [u8], u16, &'a str);

#[tokio::test]
async fn every_section_answers_as_the_page_says() {
    const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";
    const PARTS: &str = "content-type: multipart/form-data; boundary=x\r\n";
    let (address, _stop) = start().await;
    // Runs count from 1, so the order matters.
    #[rustfmt::skip]
    let cases: &[Exchange] = &[
        ("GET", "/api/hello", "", b"", 200, r#"{"message":"Hello World","run":1}"#),
        ("GET", "/api/hello", "", b"", 200, r#"{"message":"Hello World","run":2}"#),
        ("HEAD", "/api/hello", "", b"", 200, ""),
        ("GET", "/items/a", "", b"", 200, r#"{"slug":"a","run":1,"at":"2026-01-01T12:00:00.000Z"}"#),
        ("GET", "/items/a%2Fb%20c", "", b"", 200, r#"{"slug":"a/b c","run":2,"at":"2026-01-01T12:00:00.000Z"}"#),
        ("GET", "/items/form", "", b"", 200, r#"{"slug":"form","run":3,"at":"2026-01-01T12:00:00.000Z"}"#),
        ("GET", "/dashboard/1", "", b"", 200, r#"{"team":"1"}"#),
        ("GET", "/shop/1/2", "", b"", 200, r#"{"item":"2","tag":"1"}"#),
        ("GET", "/blog/1/2", "", b"", 200, r#"{"slug":["1","2"]}"#),
        ("GET", "/blog/a%2Fb/c%20d", "", b"", 200, r#"{"slug":["a/b","c d"]}"#),
        ("POST", "/items", "", br#"{"a":[1,null]}"#, 200, r#"{"res":{"a":[1,null]}}"#),
        ("POST", "/items", "", b"{", 400, "no JSON: EOF while parsing an object at line 1 column 1\n"),
        ("POST", "/items/form", FORM, b"name=A+B&email=a%40b.c", 200, r#"{"name":"A B","email":"a@b.c"}"#),
        ("POST", "/items/form", FORM, b"name=A&name=B", 200, r#"{"name":"A","email":null}"#),
        ("POST", "/items/form", PARTS, b"--x\r\ncontent-disposition: form-data; name=\"email\"\r\n\r\na@b.c\r\n--x--\r\n", 200, r#"{"name":null,"email":"a@b.c"}"#),
        ("POST", "/items/form", "content-type: text/plain\r\n", b"name=A", 415, "Form requests must have `Content-Type: application/x-www-form-urlencoded`"),
        ("GET", "/api/search", "", b"", 200, r#"{"query":null,"run":1,"found":[{"id":1,"title":"What ISR is"},{"id":2,"title":"Serve stale, refresh behind"},{"id":3,"title":"One run for ten thousand visitors"}]}"#),
        ("GET", "/api/search?x=1&query=isr&query=b", "", b"", 200, r#"{"query":"isr","run":2,"found":[{"id":1,"title":"What ISR is"}]}"#),
        ("GET", "/api/cors", "", b"", 200, "Hello, Evergate!"),
        ("OPTIONS", "/api/cors", "", b"", 204, ""),
        ("POST", "/api/webhook", "", "{\"\u{e4}\":\r\n 1} \n".as_bytes(), 200, "{\"message\":\"Success!\",\"bytes\":13,\"text\":\"{\\\"\u{e4}\\\":\\r\\n 1} \\n\"}"),
        ("POST", "/api/webhook", "", b"\xff", 400, "Webhook error: invalid utf-8 sequence of 1 bytes from index 0\n"),
        ("POST", "/api/upload", "", b"abc", 200, r#"{"bytes":3}"#),
        ("POST", "/api/chat", "", b"{}", 400, "no messages: missing field `messages` at line 1 column 2\n"),
        ("GET", "/rss.xml", "", b"", 200, super::documents::RSS),
        ("GET", "/sitemap.xml", "", b"", 200, super::documents::SITEMAP),
        ("GET", "/robots.txt", "", b"", 200, super::documents::ROBOTS),
        ("GET", "/api/methods", "", b"", 200, r#"{"method":"GET","bytes":0}"#),
        ("HEAD", "/api/methods", "", b"", 200, ""),
        ("POST", "/api/methods", "", b"ab", 200, r#"{"method":"POST","bytes":2}"#),
        ("PUT", "/api/methods", "", b"ab", 200, r#"{"method":"PUT","bytes":2}"#),
        ("PATCH", "/api/methods", "", b"ab", 200, r#"{"method":"PATCH","bytes":2}"#),
        ("DELETE", "/api/methods", "", b"", 200, r#"{"method":"DELETE","bytes":0}"#),
        ("OPTIONS", "/api/methods", "", b"", 204, ""),
        ("GET", "/flaky", "", b"", 200, r#"{"run":1,"at":"2026-01-01T12:00:00.000Z"}"#),
        ("GET", "/flaky", "", b"", 500, "run 2 failed, as every second one does\n"),
        ("GET", "/flaky", "", b"", 200, r#"{"run":3,"at":"2026-01-01T12:00:00.000Z"}"#),
        ("GET", "/nowhere", "", b"", 404, "no handler here; GET / lists those there are\n"),
        ("DELETE", "/posts", "", b"", 405, ""),
    ];
    for (method, target, lines, body, status, expected) in cases {
        let answer = ask(address, method, target, lines, body).await;
        assert_eq!((answer.status(), answer.text()), (*status, *expected), "{method} {target}");
    }
}

#[tokio::test]
async fn heads_carry_what_the_page_says() {
    let (address, _stop) = start().await;
    // Method, target, header lines; header name and all its values in order.
    #[rustfmt::skip]
    let cases: &[(&str, &str, &str, &str, &[&str])] = &[
        ("GET", "/api/hello", "", "content-type", &["application/json"]),
        ("GET", "/rss.xml", "", "content-type", &["text/xml"]),
        ("GET", "/sitemap.xml", "", "content-type", &["application/xml"]),
        ("GET", "/robots.txt", "", "content-type", &["text/plain"]),
        ("GET", "/icon.png", "", "content-type", &["image/png"]),
        ("GET", "/api/redirect", "", "location", &["https://nextjs.org/"]),
        ("HEAD", "/api/methods", "", "x-method", &["HEAD"]),
        ("OPTIONS", "/api/methods", "", "allow", &["DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"]),
        ("GET", "/api/cors", "", "access-control-allow-origin", &["*"]),
        ("OPTIONS", "/api/cors", "", "access-control-allow-methods", &["GET, POST, PUT, DELETE, OPTIONS"]),
        ("OPTIONS", "/api/cors", "", "access-control-allow-headers", &["Content-Type, Authorization"]),
        ("GET", "/api/headers", "referer: https://a.b/\r\n", "referer", &["https://a.b/"]),
        ("GET", "/api/headers", "", "referer", &[]),
        ("GET", "/api/cookies", "", "set-cookie", &["b=1; Path=/", "c=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]),
        ("POST", "/api/cookies", "cookie: aa=0; token=t=1\r\n", "set-cookie", &["b=1; Path=/", "c=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "token=t=1"]),
        ("GET", "/posts", "", "set-cookie", &[]),
        ("GET", "/posts", "", "cache-control", &[]),
        ("GET", "/news", "", "cache-control", &["public, max-age=10, stale-while-revalidate=60"]),
        ("GET", "/news", "accept-language: fi;q=0.5, en\r\n", "etag", &["\"0-fi\""]),
        ("GET", "/news", "if-none-match: \"0-en\"\r\n", "content-length", &[]),
        ("POST", "/news", "", "cache-group-invalidation", &["\"news\""]),
        ("GET", "/news", "", "etag", &["\"1-en\""]),
    ];
    for (method, target, lines, name, expected) in cases {
        let answer = ask(address, method, target, lines, b"").await;
        assert_eq!(answer.all(name), *expected, "{method} {target} {name}");
    }
    assert_eq!(ask(address, "GET", "/api/redirect", "", b"").await.status(), 307);
}

#[tokio::test]
async fn handlers_show_what_arrived() {
    let (address, _stop) = start().await;
    let lines = "cookie: z=1; a=first\r\ncookie: a=second\r\nreferer: here\r\nx-twice: 1\r\nx-twice: 2\r\n";
    let answer = ask(address, "GET", "/api/cookies", lines, b"").await;
    assert_eq!(answer.text(), r#"{"a":"first"}"#);
    let answer = ask(address, "GET", "/api/headers", lines, b"").await;
    let seen = serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap();
    assert_eq!(seen["referer"], "here");
    assert_eq!(seen["headers"]["x-twice"], serde_json::json!(["1", "2"]));
}

#[tokio::test]
async fn posts_tell_a_new_run_from_an_old_answer() {
    let (address, _stop) = start().await;
    for run in 1..=2 {
        let answer = ask(address, "GET", "/posts", "", b"").await;
        let posts = serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap();
        assert_eq!(posts["run"], run);
        assert_eq!(posts["at"], "2026-01-01T12:00:00.000Z");
        assert_eq!(posts["posts"].as_array().map(Vec::len), Some(3));
    }
}

#[tokio::test]
async fn the_index_lists_handlers_that_exist() {
    let (address, _stop) = start().await;
    let index = ask(address, "GET", "/", "x-forwarded-host: shop.example:81\r\n", b"").await;
    assert!(index.text().contains("curl -i http://shop.example:81/posts "));
    assert!(!index.text().contains("HOST"), "{}", index.text());
    assert_eq!(index.text().matches("curl").count(), TRY.len());
    for (method, target, what) in HANDLERS {
        assert!(index.text().contains(what), "{what}");
        let request = format!("{method} {target} HTTP/1.1\r\nhost: demo\r\ncontent-length: 0\r\n\r\n");
        let mut stream = connect(address, request.as_bytes()).await;
        let head = read_until(&mut stream, |bytes| holds(bytes, "\r\n\r\n")).await;
        // An empty JSON or form body is refused; what must not be is "not found" or "method not allowed".
        let known = ["200", "201", "204", "307", "400", "415"]
            .iter()
            .any(|status| head.starts_with(format!("HTTP/1.1 {status}").as_bytes()));
        assert!(known, "{method} {target}: {:?}", String::from_utf8_lossy(&head));
    }
}

#[tokio::test]
async fn the_stream_comes_in_pieces_apart_in_time() {
    let (address, _stop) = start().await;
    let begun = Instant::now();
    let request = b"GET /stream HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n\r\n";
    let mut stream = connect(address, request).await;
    let first = read_until(&mut stream, |bytes| holds(bytes, "One")).await;
    assert!(!holds(&first, "Two"));
    let rest = read_until(&mut stream, |_| false).await;
    assert!(begun.elapsed() >= Duration::from_millis(800));
    let whole = String::from_utf8([first, rest].concat()).unwrap();
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert_eq!(
        body,
        "B\r\n<p>One</p>\n\r\nB\r\n<p>Two</p>\n\r\nD\r\n<p>Three</p>\n\r\nC\r\n<p>Four</p>\n\r\nC\r\n<p>Five</p>\n\r\n0\r\n\r\n"
    );
}

#[tokio::test]
async fn the_slow_one_takes_two_seconds() {
    let (address, _stop) = start().await;
    let begun = Instant::now();
    let answer = ask(address, "GET", "/slow", "", b"").await;
    assert!(begun.elapsed() >= Duration::from_secs(2));
    assert_eq!(answer.text(), r#"{"run":1,"at":"2026-01-01T12:00:00.000Z"}"#);
}

#[tokio::test]
async fn a_webhook_may_be_large_but_not_endless() {
    let (address, _stop) = start().await;
    let large = vec![b'x'; MAX_BODY];
    let answer = ask(address, "POST", "/api/webhook", "", &large).await;
    assert_eq!(answer.status(), 200);
    assert!(holds(&answer.body[..64], &format!("\"bytes\":{MAX_BODY}")));
    let larger = vec![b'x'; MAX_BODY + 1];
    let answer = ask(address, "POST", "/api/webhook", "", &larger).await;
    assert_eq!(answer.status(), 413);
}

#[tokio::test]
async fn events_go_on_until_the_service_ends() {
    let (address, stop) = start().await;
    let request = b"GET /events HTTP/1.1\r\nhost: demo\r\n\r\n";
    let mut stream = connect(address, request).await;
    let first = read_until(&mut stream, |bytes| holds(bytes, "\"tick\":0")).await;
    assert!(holds(&first, "content-type: text/event-stream"));
    let event = "id: 1\ndata: {\"tick\":1,\"at\":\"2026-01-01T12:00:00.000Z\"}\n\n";
    read_until(&mut stream, |bytes| holds(bytes, event)).await;

    stop.send(true).unwrap();
    let rest = read_until(&mut stream, |_| false).await;
    assert!(rest.ends_with(b"0\r\n\r\n"), "ended, not cut: {rest:?}");
    refuses(address).await;
}

#[tokio::test]
async fn a_lost_sender_ends_the_service() {
    let (address, stop) = start().await;
    assert_eq!(ask(address, "GET", "/", "", b"").await.status(), 200);
    drop(stop);
    refuses(address).await;
}

/// Waits until nothing listens at `address` any more.
async fn refuses(address: SocketAddr) {
    timeout(BOUND, async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{address} still listens"));
}
