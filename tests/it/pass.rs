//! What the cache has no part in goes through whole and unbuffered, both ways: other methods, request bodies of any size,
//! bodies that come in pieces, protocols that leave HTTP.
//!
//! What is added to and removed from the heads is in `heads`; what is shared and not shared by those that have no body is in
//! `relay`; which handler is asked under which name, and what is redirected or refused before, is in `sites`.

mod heads;
mod relay;
mod sites;
mod uploads;

use std::net::SocketAddr;
use std::time::Duration;

use evergate_tests::{Client, Ending, Gate, Gateway, Origin, Reply, Response, Seen, get, until};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// A route that is kept, one that is dynamic; whatever else comes has no route.
const ROUTES: &str = " [{ path: '/kept/[page]', revalidate: 1h }, { path: '/live/[page]' }]";

/// A place of each kind at which a request may pass.
const PLACES: [&str; 3] = ["/kept/page", "/live/page", "/none/page"];

/// What says that a passed request was not answered from the cache, and why, at each place when its method is the reason.
const FWD: [(&str, &str); 3] = [("method", "method"), ("bypass", "dynamic"), ("bypass", "unmatched")];

/// An origin that repeats what it was asked, and a gateway before it.
async fn start() -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |seen| {
        let body = String::from_utf8_lossy(&seen.body);
        Reply::ok(format!("{} {} {body}", seen.method, seen.target))
    });
    let gateway = Gateway::simple(&origin, ROUTES).await;
    (origin, gateway)
}

/// The last request that came to `path`.
fn last(origin: &Origin, path: &str) -> Seen {
    origin.seen(path).pop().unwrap_or_else(|| panic!("nothing came to {path}"))
}

/// Bytes in which every place is told from its neighbours.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8 ^ (place >> 13) as u8).collect()
}

#[tokio::test]
async fn other_methods_go_to_the_handler_and_are_never_kept() {
    let (origin, gateway) = start().await;
    let mut client = Client::connect(gateway.address()).await;
    for (place, (fwd, detail)) in PLACES.into_iter().zip(FWD) {
        let methods = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "PURGE", "get", "M-SEARCH"];
        for method in methods {
            for body in ["", "body"] {
                let asked = origin.count(place);
                let answer = client.request(method, place, &[], body).await;
                assert_eq!((answer.status, answer.text()), (200, format!("{method} {place} {body}").as_str()));
                assert_eq!(answer.x_cache(), "PASS", "{method} {place}");
                let status = format!("evergate; fwd={fwd}; fwd-status=200; detail={detail}");
                assert_eq!(answer.cache_status(), status, "{method} {place}");
                assert_eq!(origin.count(place), asked + 1, "{method} {place}");
            }
        }
    }
    // None of those answers became the page.
    assert_eq!(get(gateway.address(), PLACES[0]).await.x_cache(), "MISS");
    assert_eq!(get(gateway.address(), PLACES[0]).await.text(), "GET /kept/page ");
}

#[tokio::test]
async fn the_target_comes_in_normal_form_with_its_query_as_it_was() {
    let (origin, gateway) = start().await;
    let targets = [
        ("/live/a?b=2&a=1&utm_source=x&&=", "/live/a?b=2&a=1&utm_source=x&&="),
        ("/live/a?%41=%zz&b=%5C/../x?y", "/live/a?%41=%zz&b=%5C/../x?y"),
        ("/live/a?", "/live/a?"),
        ("/live/%61%2f%c3%a9%7E", "/live/a%2F%C3%A9~"),
        ("/none/./x/../y/%2e%2E/z", "/none/z"),
        ("/none/a'b|c", "/none/a'b%7Cc"),
        ("/live/a/", "/live/a/"),
        ("/../../none/up", "/none/up"),
    ];
    let mut client = Client::connect(gateway.address()).await;
    for (sent, seen) in targets {
        for method in ["GET", "POST"] {
            assert_eq!(client.request(method, sent, &[], "").await.text(), format!("{method} {seen} "));
        }
    }
    assert_eq!(origin.malformed().len(), 0);
}

#[tokio::test]
async fn large_request_bodies_stream_to_the_handler() {
    const HALF: usize = 8 << 20;
    let (origin, gateway) = start().await;
    let body = bytes(2 * HALF);
    for place in PLACES {
        origin.on(place, |seen| Reply::ok(&seen.body));
        for chunked in [false, true] {
            let framing = if chunked { "transfer-encoding: chunked" } else { "content-length: 16777216" };
            let asked = origin.count(place);
            let mut client = Client::connect(gateway.address()).await;
            client.send_raw(format!("POST {place} HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n")).await;
            for half in body.chunks(HALF) {
                let has_come = origin.seen(place).get(asked).map_or(0, |seen| seen.body.len());
                for piece in half.chunks(100_000) {
                    let size = format!("{:x}\r\n", piece.len());
                    let framed = if chunked { [size.as_bytes(), piece, b"\r\n"].concat() } else { piece.to_vec() };
                    client.send_raw(framed).await;
                }
                // The handler has it all while the visitor still holds back the rest.
                let come = || origin.seen(place).get(asked).is_some_and(|seen| seen.body.len() == has_come + HALF);
                until("this half has come", come).await;
            }
            if chunked {
                client.send_raw("0\r\n\r\n").await;
            }
            let answer = client.read_response("POST").await;
            assert!(answer.body == body, "{place}: the echo has {} bytes", answer.body.len());
            assert!(last(&origin, place).body == body, "{place}");
        }
    }
}

#[tokio::test]
async fn chunks_reach_the_visitor_as_the_handler_sends_them() {
    let (origin, gateway) = start().await;
    for place in ["/live/stream", "/none/stream"] {
        for framed in [true, false] {
            let gates = [Gate::new(), Gate::new(), Gate::new()];
            let mut reply = Reply::ok("").chunks(["one", "two", "three"]);
            if !framed {
                reply = reply.content_length(11);
            }
            // Each piece, and the end, waits until the visitor has seen what came before.
            for (after, gate) in gates.iter().enumerate() {
                reply = reply.gate_after(after + 1, gate);
            }
            origin.on(place, move |_| reply.clone());
            let mut client = Client::connect(gateway.address()).await;
            client.send("GET", place, &[], "").await;
            assert_eq!(client.read_head().await.status, 200);
            for (piece, gate) in ["one", "two", "three"].into_iter().zip(&gates) {
                let (_, chunk) = client.next_chunk().await.expect("a piece before the next gate opens");
                assert_eq!(chunk, piece, "{place}, in chunks: {framed}");
                gate.open();
            }
            assert_eq!(client.next_chunk().await, None);
            assert!(client.complete(), "{place}");
        }
    }
}

#[tokio::test]
async fn a_body_that_ends_with_the_handlers_connection_or_in_trailers_ends_well() {
    let (origin, gateway) = start().await;
    origin.on("/live/close", |_| Reply::ok("until close").without_length());
    let trailers = Reply::ok("").chunks(["with ", "trailers"]).trailer("X-End", "yes").header("trailer", "X-End");
    origin.on("/live/trailers", move |_| trailers.clone());
    let mut client = Client::connect(gateway.address()).await;
    for (target, body) in [("/live/trailers", "with trailers"), ("/live/close", "until close")] {
        let answer = client.get(target).await;
        assert_eq!((answer.text(), answer.complete), (body, true), "{target}");
        // The framework drops trailers of HTTP/1.1; should it learn to carry them, they are these.
        let end = vec![("X-End".to_owned(), "yes".to_owned())];
        assert!(answer.trailers.is_empty() || answer.trailers == end, "{answer:?}");
        if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            client.expect_closed().await;
            client = Client::connect(gateway.address()).await;
        }
        assert_eq!(client.get("/live/next").await.text(), "GET /live/next ");
    }
}

#[tokio::test]
async fn a_body_that_is_cut_is_cut_for_the_visitor_too() {
    let (origin, gateway) = start().await;
    let cases = [
        Reply::ok("0123456789").hang_up_after(4),
        Reply::ok("").chunks(["0123", "456789"]).hang_up_after(4),
        Reply::ok("").chunks(["0123", "456789"]).hang_up_after(7),
        Reply::ok("").chunks(["0123456789"]).hang_up_after(10),
    ];
    for (case, reply) in cases.into_iter().enumerate() {
        origin.on("/live/cut", move |_| reply.clone());
        let answer = get(gateway.address(), "/live/cut").await;
        assert_eq!((answer.status, answer.complete), (200, false), "case {case}: {answer:?}");
        assert!("0123456789".starts_with(answer.text()), "case {case}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_visitor_who_leaves_is_missed_by_the_handler() {
    let (origin, gateway) = start().await;
    for place in ["/live/never", "/none/never"] {
        origin.on(place, |_| Reply::never());
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", place, &[], "").await;
        until("the handler was asked", || origin.count(place) == 1).await;
        drop(client);
        until("the handler knows", || origin.left(place) == 1).await;
    }
    origin.on("/live/endless", |_| Reply::ok("tick").endless().pause_between(Duration::from_millis(5)));
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", "/live/endless", &[], "").await;
    client.read_head().await;
    assert!(client.next_chunk().await.is_some());
    drop(client);
    let ended = || origin.seen("/live/endless")[0].ended.map(|(ending, _)| ending);
    until("the endless stream was stopped", || ended() == Some(Ending::PeerLeft)).await;
}

#[tokio::test]
async fn interim_answers_reach_the_visitor_before_the_final_one() {
    let (origin, gateway) = start().await;
    for place in ["/live/hints", "/none/hints"] {
        let gate = Gate::new();
        let hints = [("link", "</a.css>; rel=preload"), ("x-twice", "1"), ("x-twice", "2")];
        let reply = Reply::ok("late").interim(103, &hints).interim(103, &[("link", "</b>")]).gate(&gate);
        origin.on(place, move |_| reply.clone());
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", place, &[], "").await;
        let first = client.read_interim().await;
        assert_eq!((first.status, first.header("link")), (103, Some("</a.css>; rel=preload")), "{place}");
        assert_eq!(first.all("x-twice"), ["1", "2"]);
        assert_eq!(client.read_interim().await.header("link"), Some("</b>"));
        gate.open();
        let answer = client.read_response("GET").await;
        assert_eq!((answer.status, answer.text(), answer.interim.len()), (200, "late", 0));
    }
    // A page that is kept tells those who wait for it, and nobody from memory.
    let gate = Gate::new();
    let reply = Reply::ok("kept").interim(103, &[("link", "</a>")]).gate(&gate);
    origin.on("/kept/hints", move |_| reply.clone());
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET", "/kept/hints", &[], "").await;
    let hint = client.read_interim().await;
    assert_eq!((hint.status, hint.all("link"), hint.headers.len()), (103, vec!["</a>"], 1));
    gate.open();
    let answer = client.read_response("GET").await;
    assert_eq!((answer.text(), answer.x_cache(), answer.interim.len()), ("kept", "MISS", 0));
    let answer = get(gateway.address(), "/kept/hints").await;
    assert_eq!((answer.text(), answer.x_cache(), answer.interim.len()), ("kept", "HIT", 0));
    assert_eq!(origin.count("/kept/hints"), 1);
}

#[tokio::test]
async fn protocols_that_leave_http_are_tunnelled_both_ways() {
    let (origin, gateway) = start().await;
    let asking = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ];
    for place in PLACES {
        origin.on(place, |_| Reply::upgrade_echo().header("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", place, &asking, "").await;
        let agreed: Response = client.read_head().await;
        assert_eq!((agreed.status, agreed.header("upgrade")), (101, Some("websocket")), "{place}");
        assert_eq!(agreed.header("connection").map(str::to_ascii_lowercase).as_deref(), Some("upgrade"));
        assert_eq!(agreed.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        let seen = last(&origin, place);
        for (name, value) in &asking[1..] {
            assert_eq!(seen.header(name), Some(*value), "{place}");
        }
        // What comes now is no HTTP, not even where it looks like it, in both directions and more than once.
        let messages: [&[u8]; 4] = [&[0, 1, 2, 255], b"GET / HTTP/1.1\r\n\r\n", b"\r\n\n\0", &bytes(300_000)];
        for message in messages {
            client.send_raw(message).await;
            assert!(client.read_raw(message.len()).await == message, "{place}: {} bytes", message.len());
        }
        client.finish_sending().await;
        client.expect_closed().await;
        until("the handler's side has ended", || last(&origin, place).ended.is_some()).await;
    }
    assert_eq!(origin.count("/"), 0);
}

/// A handler that agrees to leave HTTP before it has heard the request: its answer is there as soon as the connection is.
async fn hasty_handler() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let agreed = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
                stream.write_all(agreed).await?;
                let mut stream = BufReader::new(stream);
                let mut line = String::from("the request line");
                while !line.trim_end().is_empty() {
                    line.clear();
                    stream.read_line(&mut line).await?;
                }
                let (mut from, mut to) = tokio::io::split(stream);
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address
}

/// Whether an answer is read before the end of the request was taken note of is a matter of chance, once for each handshake.
#[tokio::test]
async fn an_answer_that_is_there_at_once_does_not_end_the_tunnel() {
    const HANDSHAKES: usize = 200;
    let address = hasty_handler().await;
    let yaml = format!(
        "listen: [{{ address: '127.0.0.1:0' }}]\nadmin: {{ address: '127.0.0.1:0' }}\n\
         upstreams: {{ app: {{ servers: ['{address}'] }} }}\n"
    );
    let gateway = Gateway::start(&yaml).await;
    for round in 0..HANDSHAKES {
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", "/", &[("connection", "upgrade"), ("upgrade", "websocket")], "").await;
        assert_eq!(client.read_head().await.status, 101, "handshake {round}");
        client.send_raw("ping").await;
        assert_eq!(client.read_raw(4).await, "ping", "handshake {round}");
    }
}

#[tokio::test]
async fn a_handler_may_decline_to_leave_http() {
    let (origin, gateway) = start().await;
    let asking = [("connection", "upgrade"), ("upgrade", "websocket")];
    for place in PLACES {
        // What is declined is an ordinary exchange: the visitor's connection goes on, and may ask again.
        let mut client = Client::connect(gateway.address()).await;
        for method in ["GET", "GET", "HEAD", "GET"] {
            let answer = client.request(method, place, &asking, "").await;
            let expected = if method == "HEAD" { String::new() } else { format!("{method} {place} ") };
            assert_eq!((answer.status, answer.text()), (200, expected.as_str()), "{method} {place}");
            assert_eq!(last(&origin, place).header("upgrade"), Some("websocket"), "{method} {place}");
        }
        let answer = client.request("POST", place, &asking, "body").await;
        assert_eq!(answer.text(), format!("POST {place} body"));
        assert_eq!(client.request("OPTIONS", place, &[], "").await.text(), format!("OPTIONS {place} "));
    }
}

#[tokio::test]
async fn http_2_is_no_protocol_to_upgrade_to() {
    let (origin, gateway) = start().await;
    let settings = ("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA");
    let asking: [&[(&str, &str)]; 6] = [
        &[("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), settings],
        &[("connection", "upgrade"), ("upgrade", "H2C")],
        &[("connection", "upgrade"), ("upgrade", "websocket, h2c"), settings],
        &[("connection", "upgrade"), ("upgrade", "h2c, websocket")],
        &[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c"), settings],
        &[("upgrade", "h2c")],
    ];
    for place in PLACES {
        for lines in asking {
            for method in ["GET", "POST"] {
                let mut client = Client::connect(gateway.address()).await;
                let answer = client.request(method, place, lines, "").await;
                assert_eq!(answer.status, 200, "{method} {place} {lines:?}");
                let seen = last(&origin, place);
                let offered = seen.all("upgrade").join(",").to_ascii_lowercase();
                assert!(!offered.contains("h2c"), "{method} {place} {lines:?}: {offered}");
                assert_eq!(seen.header("http2-settings"), None, "{method} {place} {lines:?}");
            }
        }
    }
}
