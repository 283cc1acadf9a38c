//! A large upload: the gateway hands a body on as it comes and keeps none of it, so its size is no matter of memory.

use evergate_tests::{Client, Gateway};

use super::demo;

/// How much is sent.
const UPLOAD_MIB: usize = 200;

/// By how much the process may grow meanwhile: buffers on both sides of the gateway and of the demo inside it, and what an
/// allocator keeps of them. A gateway that buffered the body would grow by all of it.
const GROWTH_MIB: usize = 24;

/// A piece of the body, which is a chunk when the body is chunked.
const PIECE: usize = 1 << 18;

/// Sends so much and checks that all of it arrived; gives back the largest size of the process meanwhile, in MiB.
async fn upload(gateway: &Gateway, mib: usize, chunked: bool) -> usize {
    let length = mib << 20;
    let framing =
        if chunked { String::from("transfer-encoding: chunked") } else { format!("content-length: {length}") };
    let data: Vec<u8> = (0..PIECE).map(|at| at.to_le_bytes()[0]).collect();
    let piece = if chunked { [format!("{PIECE:x}\r\n").as_bytes(), &data, b"\r\n"].concat() } else { data };
    let mut client = Client::connect(gateway.address()).await;
    client.send_raw(format!("POST /api/upload HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n")).await;
    let mut largest = 0;
    for number in 0..length / PIECE {
        client.send_raw(&piece).await;
        if number % 16 == 0 {
            largest = largest.max(gateway.resident_mib());
        }
    }
    if chunked {
        client.send_raw("0\r\n\r\n").await;
    }
    let response = client.read_response("POST").await;
    assert_eq!((response.status, response.x_cache()), (200, "PASS"));
    assert_eq!(response.json()["bytes"].as_u64(), Some(length as u64));
    largest.max(gateway.resident_mib())
}

#[tokio::test]
async fn promise_6_an_upload_of_any_size_takes_no_memory() {
    // On a route that keeps answers too: a POST has no part in it.
    let gateway = demo("[{ path: /api/upload, revalidate: 1h }]").await;
    for chunked in [false, true] {
        // What a gateway at work takes in any case is there after the first.
        upload(&gateway, 4, chunked).await;
        let before = gateway.resident_mib();
        let largest = upload(&gateway, UPLOAD_MIB, chunked).await;
        let grown = largest.saturating_sub(before);
        assert!(
            grown <= GROWTH_MIB,
            "{UPLOAD_MIB} MiB went through (chunked: {chunked}), and the process grew by {grown} MiB"
        );
    }
}
