//! Bodies that are not what their head announced, and requests that hide where the gateway and the handler might see
//! different ends of a message: whatever an attacker sends, the handler sees at most the one request that was let through.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{HIDDEN, PLACES, Probed};

/// Chunked bodies that are wrong in the place where they stop.
const MALFORMED: &[&[u8]] = &[
    b"x\r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"5\thello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5\rhello\r\n0\r\n\r\n",
    b"5\r\rhello\r\n0\r\n\r\n",
    b"5;a\nhello\r\n0\r\n\r\n",
    b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    b"5;a=\0\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello\r0\r\n\r\n",
    b"5\r\nhello!\r\n0\r\n\r\n",
    b"6\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n\r\n",
    b"5\r\nhello\r\nend\r\n\r\n",
    b"5\r\nhello\r\n0\n\n",
    b"5\r\nhello\r\n0\r\n\n",
    b"5\r\nhello\r\n0\r\nx: y\n\r\n",
    b"5\r\nhello\r\n0\r\nx: y\r\r\n",
    b"5\r\nhello\r\n0\r\n x: y\r\n\r\n",
    b"5\r\nhello\r\n0\r\nx: y\r\n z\r\n\r\n",
    b"5\r\nhello\r\n0\r\nx: \0\r\n\r\n",
];

/// What no gateway forwards, wherever it comes.
const REFUSED: &str = "GET /hidden HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n";

/// A body that is a request, so that whoever loses count of a message finds another one.
const BAIT: &str = "GET /hidden HTTP/1.1\r\nhost: a\r\nx-bait: 1\r\n\r\n";

impl Probed {
    /// Sends a chunked body with another request behind it, in one piece or with a pause behind the head; what is wrong with
    /// what comes of it, if that is no clean refusal.
    async fn probe_body(&self, place: &str, body: &[u8], at_once: bool) -> Option<String> {
        let head = format!("POST {place} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
        let (mut client, known) = (Client::connect(self.gateway.address()).await, self.origin.count(place));
        if at_once {
            client.send_raw([head.as_bytes(), body, HIDDEN].concat()).await;
        } else {
            client.send_raw(&head).await;
            until("the head has gone through", || self.origin.count(place) > known).await;
            client.send_raw([body, HIDDEN].concat()).await;
        }
        let refusal = client.try_read_response("POST").await;
        let closing = refusal.as_ref().and_then(|refusal| refusal.header("connection")) == Some("close");
        if closing {
            client.expect_closed().await;
        }
        let found = refusal.map(|refusal| (refusal.status, closing));
        let begun = || self.origin.seen(place).into_iter().skip(known);
        until("the handler knows how it ended", || begun().all(|seen| seen.ended.is_some())).await;
        let whole = begun().any(|seen| seen.whole);
        let malformed = self.origin.malformed().len();
        (whole || malformed > 0 || found != Some((400, true))).then(|| {
            let what = body[..body.len().min(60)].escape_ascii();
            format!("{place} {what}\n    should be refused; the answer is {found:?}, at once: {at_once}, the handler saw it whole: {whole}, broken: {malformed}")
        })
    }

    /// The bodies of the requests with this method at this place, all of them whole.
    fn bodies(&self, method: &str, place: &str) -> Vec<String> {
        let seen = self.origin.seen(place).into_iter().filter(|seen| seen.method == method);
        seen.map(|seen| {
            assert!(seen.whole, "a body was cut: {seen:?}");
            String::from_utf8_lossy(&seen.body).into_owned()
        })
        .collect()
    }
}

#[tokio::test]
async fn promise_9_malformed_chunks_end_the_request_and_the_connection() {
    let probed = Probed::start().await;
    let long_extension = [&b"5;"[..], &[b'x'; 5000], b"\r\nhello\r\n0\r\n\r\n"].concat();
    let long_trailers = [&b"5\r\nhello\r\n0\r\n"[..], &b"x: y\r\n".repeat(3000), b"\r\n"].concat();
    let bodies = MALFORMED.iter().copied().chain([&long_extension[..], &long_trailers]);
    let mut wrong = Vec::new();
    for body in bodies {
        for place in [PLACES[0], PLACES[2], PLACES[3]] {
            for at_once in [true, false] {
                wrong.extend(probed.probe_body(place, body, at_once).await);
            }
        }
    }
    assert!(wrong.is_empty(), "{} bodies were not refused as they should be:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(probed.origin.count("/hidden"), 0);
    probed.is_well().await;
}

#[tokio::test]
async fn promise_9_chunk_extensions_and_trailers_end_with_the_gateway() {
    let probed = Probed::start().await;
    let body = "005;a=\"b;c\";d\r\nhello\r\nA;x\r\n0123456789\r\n000\r\n";
    let trailers = "content-length: 3\r\nhost: other\r\ntransfer-encoding: identity\r\nx-matched-path: /\r\n\r\n";
    for place in [PLACES[0], PLACES[2], PLACES[3]] {
        let head = format!("POST {place} HTTP/1.1\r\nhost: a\r\nTransfer-Encoding:\t Chunked \r\n\r\n");
        let mut client = Client::connect(probed.gateway.address()).await;
        client.send_raw(head + body + trailers).await;
        assert_eq!(client.read_response("POST").await.status, 200);
        assert_eq!(client.get(place).await.text(), format!("GET {place}"));
        assert_eq!(probed.bodies("POST", place), ["hello0123456789"]);
        let seen = probed.origin.seen(place).into_iter().find(|seen| seen.method == "POST");
        assert_eq!(seen.map(|seen| seen.all("host").join(",")).as_deref(), Some("a"));
    }
    assert_eq!(probed.origin.malformed().len(), 0, "{:?}", probed.origin.malformed());
}

#[tokio::test]
async fn promise_9_a_body_that_looks_like_a_request_is_a_body() {
    let probed = Probed::start().await;
    let length = BAIT.len();
    // A visitor cannot take the framing away by calling it a matter of this connection.
    let heads = [
        format!("content-length: {length}\r\n"),
        format!("connection: content-length\r\ncontent-length: {length}\r\n"),
        format!("connection: close, content-length\r\ncontent-length: {length}\r\n"),
        format!("content-length: {length:05}\r\n"),
    ];
    for place in PLACES {
        for method in ["GET", "POST"] {
            for lines in &heads {
                let head = format!("{method} {place} HTTP/1.1\r\nhost: a\r\n{lines}\r\n");
                let mut client = Client::connect(probed.gateway.address()).await;
                client.send_raw(head + BAIT).await;
                let answer = client.read_response(method).await;
                assert_eq!((answer.status, answer.x_cache()), (200, "PASS"), "{method} {place} {lines}");
            }
            let coding = "connection: transfer-encoding, x\r\ntransfer-encoding: chunked\r\nx: 1\r\n";
            let head = format!("{method} {place} HTTP/1.1\r\nhost: a\r\n{coding}\r\n{length:x}\r\n");
            let mut client = Client::connect(probed.gateway.address()).await;
            client.send_raw(head + BAIT + "\r\n0\r\n\r\n").await;
            assert_eq!(client.read_response(method).await.status, 200, "{method} {place} chunked");
        }
    }
    assert_eq!(probed.origin.count("/hidden"), 0);
    assert_eq!(probed.origin.malformed().len(), 0, "{:?}", probed.origin.malformed());
    for place in PLACES {
        for method in ["GET", "POST"] {
            let mut bodies = probed.bodies(method, place);
            // The warm page was fetched once without a body.
            bodies.retain(|body| !body.is_empty());
            assert_eq!(bodies, vec![BAIT; heads.len() + 1], "{method} {place}");
        }
    }
}

#[tokio::test]
async fn promise_9_what_follows_a_request_for_an_upgrade_waits_for_the_handlers_word() {
    let probed = Probed::start().await;
    for place in PLACES {
        for at_once in [true, false] {
            let gate = Gate::new();
            let held = gate.clone();
            probed.origin.on("/*", move |seen| Reply::ok(&seen.target).gate(&held));
            let head = format!("GET {place} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
            let mut client = Client::connect(probed.gateway.address()).await;
            client.send_raw(head + if at_once { REFUSED } else { "" }).await;
            gate.arrived(1).await;
            client.send_raw(REFUSED).await;
            gate.open();
            // The handler does not agree: what came behind was never meant for it unread.
            let answer = client.read_response("GET").await;
            assert_eq!((answer.status, answer.text()), (200, place), "at once: {at_once}");
            let next = client.try_read_response("GET").await;
            assert!(next.is_none_or(|next| next.status == 400), "{place}");
            let asked = probed.origin.seen("/*").into_iter().rfind(|seen| seen.header("upgrade").is_some());
            assert!(asked.is_some_and(|seen| seen.whole && seen.body.is_empty()), "{place}");
            assert_eq!((probed.origin.count("/hidden"), probed.origin.malformed().len()), (0, 0), "{place}");
        }
    }
}

#[tokio::test]
async fn promise_9_a_body_that_was_answered_early_is_not_read_as_a_request() {
    let body = format!("begun{BAIT}{BAIT:0>900}");
    let (address, seen) = answers_early().await;
    let config = format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
         upstreams: {{ early: {{ servers: [\"{address}\"] }} }}\n"
    );
    let gateway = Gateway::start(&config).await;
    let mut client = Client::connect(gateway.address()).await;
    let head = format!("POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\nbegun", body.len());
    client.send_raw(head).await;
    let answer = client.read_response("POST").await;
    assert_eq!((answer.status, answer.text()), (200, "early"));
    client.send_raw(&body[5..]).await;
    client.finish_sending().await;
    client.expect_closed().await;
    assert_eq!(gateway.metric("evergate_requests_total", &[]).await, 1.0);
    let seen = seen.lock().expect("nobody panicked with it");
    let text = String::from_utf8_lossy(&seen);
    let (_, begun) = text.split_once("\r\n\r\n").expect("the head came");
    assert!(text.starts_with("POST /early ") && body.starts_with(begun), "{text}");
}

/// A handler that answers each connection as soon as there is a head; where it is, and all that it has seen.
async fn answers_early() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let journal = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = Vec::new();
            let mut answered = false;
            while stream.read_buf(&mut read).await.is_ok_and(|length| length > 0) {
                if !answered && read.windows(4).any(|window| window == b"\r\n\r\n") {
                    answered = true;
                    // A gateway that has gone by then shows in the test.
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly").await;
                }
                journal.lock().expect("nobody panicked with it").append(&mut read);
            }
        }
    });
    (address, seen)
}

#[tokio::test]
async fn promise_9_an_answer_of_the_gateway_ends_the_connection_before_an_unread_body() {
    let origin = Origin::start().await;
    origin.on("/*", |_| Reply::ok("asked"));
    let gateway = Gateway::simple(&origin, " [{ path: /known }]\nunmatched: 404").await;
    for lines in ["", "expect: 100-continue\r\n"] {
        for (target, status) in [("/nowhere", 404), ("//known", 308), ("/known%00", 400)] {
            let length = BAIT.len();
            let head = format!("POST {target} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n{lines}\r\n");
            let mut client = Client::connect(gateway.address()).await;
            client.send_raw(head + BAIT).await;
            let answer = client.read_response("POST").await;
            assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{target}");
            assert!(answer.interim.is_empty(), "nobody wants the body of {target}");
            client.expect_closed().await;
        }
    }
    assert_eq!(origin.count("/*"), 0);
}
