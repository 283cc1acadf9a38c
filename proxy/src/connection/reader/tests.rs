use evergate_cache::Scheme;
use proptest::prelude::*;

use super::Reader;
use crate::connection::head::{self, Refusal};
use crate::request::Request;

/// Everything that a head says, in words that can be compared.
fn told(reader: &Reader) -> String {
    let Request { method, target, authority, headers, body, keep_alive, peer: _, scheme, protocol } = reader.request();
    let framing = reader.framing();
    format!("{method} {target} {authority:?} {headers:?} {body:?} {keep_alive} {scheme:?} {protocol:?} {framing:?}")
}

/// What one reader makes of heads that come one after the other.
fn read_all<'h>(heads: impl IntoIterator<Item = &'h [u8]>) -> Vec<Result<String, Refusal>> {
    let mut reader = Reader::new(None, Scheme::Http);
    let read = |head: &'h [u8]| {
        if let Some(length) = reader.repeated(head) {
            assert_eq!(Ok(Some(length)), head::find_end(head, 0), "{head:?}");
        }
        let end = head::find_end(head, 0)?.unwrap_or(head.len());
        reader.read(&head[..end]).map(|()| told(&reader))
    };
    heads.into_iter().map(read).collect()
}

/// What readers make of them that each see but one.
fn read_alone<'h>(heads: impl IntoIterator<Item = &'h [u8]>) -> Vec<Result<String, Refusal>> {
    heads.into_iter().flat_map(|head| read_all([head])).collect()
}

fn line() -> impl Strategy<Value = &'static [u8]> {
    prop::sample::select(vec![
        &b"GET / HTTP/1.1\r\n"[..],
        b"GET /a?b=c HTTP/1.1\r\n",
        b"HEAD /a HTTP/1.1\r\n",
        b"POST /a HTTP/1.1\r\n",
        b"GET /a HTTP/1.0\r\n",
        b"GET /a HTTP/2.0\r\n",
        b"GET http://a/b HTTP/1.1\r\n",
        b"GET http://b/b HTTP/1.1\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n",
        b"GET  /a HTTP/1.1\r\n",
        b"GET /a\r HTTP/1.1\r\n",
        b"GET /a\x01 HTTP/1.1\r\n",
        b"GET /\xc3\xa4 HTTP/1.1\r\n",
        b"GET /a HTTP/1.1\n",
        b"\r\n",
        b"GET /a HTTP/1.1 \r\n",
    ])
}

fn fields() -> impl Strategy<Value = &'static [u8]> {
    prop::sample::select(vec![
        &b"host: a\r\n\r\n"[..],
        b"host: b\r\naccept: */*\r\n\r\n",
        b"Host: A\r\n\r\n",
        b"host: a\r\nconnection: close\r\n\r\n",
        b"host: a\r\nconnection: keep-alive\r\n\r\n",
        b"host: a\r\ncontent-length: 3\r\n\r\n",
        b"host: a\r\ntransfer-encoding: chunked\r\n\r\n",
        b"\r\n",
        b"host: a\r\n x: y\r\n\r\n",
    ])
}

#[test]
fn fields_that_come_again_are_not_read_again_and_others_are() {
    let mut reader = Reader::new(None, Scheme::Http);
    let first = b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n";
    assert_eq!(reader.repeated(first), None);
    reader.read(first).unwrap();
    assert_eq!(reader.repeated(b"GET /b?c HTTP/1.1\r\nhost: a\r\n\r\nGET"), Some(30));
    assert_eq!(reader.repeated(b"GET /b HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n"), None);
    assert_eq!(reader.repeated(b"GET /b HTTP/1.1\r\nhost: a\r\n"), None);
    reader.read(b"GET /b?c HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(reader.request().target, "/b?c");
    assert_eq!(reader.take().authority.as_deref(), Some("a"));
    assert_eq!(reader.repeated(first), None, "who takes the request takes its fields");
}

proptest! {
    /// Whatever came before it on the connection, a head means the same.
    #[test]
    fn a_head_means_what_it_means_alone(heads in prop::collection::vec((line(), fields()), 1..8)) {
        let heads: Vec<Vec<u8>> = heads.into_iter().map(|(line, fields)| [line, fields].concat()).collect();
        let heads = || heads.iter().map(Vec::as_slice);
        // A refusal ends a connection, so nothing comes after it.
        let together = read_all(heads());
        let until = together.iter().position(Result::is_err).map_or(together.len(), |at| at + 1);
        prop_assert_eq!(&together[..until], &read_alone(heads())[..until]);
    }
}
