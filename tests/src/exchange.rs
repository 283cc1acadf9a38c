//! The origin's side of one connection: reads requests, asks the handler, and performs its replies.

use std::io;

use tokio::net::TcpStream;

use crate::clock;
use crate::journal::{Ending, Entry, Journal, Seen};
use crate::reply::{self, Extent, Framing, Kind, Reply};
use crate::wire::{self, Body, Fault, Fields, Wire};

/// How many bytes are gathered before they are written, when nothing asks for it earlier.
const GATHER: usize = 64 * 1024;

/// Serves a connection until either side closes it.
pub(crate) async fn converse(stream: TcpStream, connection: usize, journal: Journal, answer: impl Fn(&Seen) -> Reply) {
    let mut wire = Wire::new(stream);
    loop {
        let (seen, mut body) = match request(&mut wire, connection).await {
            Ok(request) => request,
            Err(Fault::Closed) => return,
            Err(Fault::Cut) => return journal.malformed("a head without end".to_owned()),
            Err(Fault::Malformed(problem)) => {
                journal.malformed(problem);
                // The peer may have gone; either way this is the last that is said here.
                let _ = wire.write(&reply::head(400, &Fields::new())).await;
                return wire.finish().await;
            }
        };
        let entry = journal.begin(seen.clone());
        if wire::lists(&seen.headers, "expect", "100-continue") {
            // A peer that has gone shows in the reading that follows.
            let _ = wire.write(&reply::head(100, &Fields::new())).await;
        }
        if let Err(fault) = receive(&mut wire, &mut body, &entry).await {
            if let Fault::Malformed(problem) = fault {
                journal.malformed(problem);
            }
            return entry.end(Ending::PeerLeft);
        }
        let seen = entry.complete();
        let reply = answer(&seen);
        let performed = perform(&mut wire, &reply, &seen).await;
        let ending = performed.unwrap_or(Ending::PeerLeft);
        entry.end(ending);
        let again = ending == Ending::Sent && persists(&seen) && stays(&reply);
        if !again {
            return wire.finish().await;
        }
    }
}

/// Reads the head of a request.
async fn request(wire: &mut Wire, connection: usize) -> Result<(Seen, Body), Fault> {
    let raw = wire.head().await?;
    let at = clock::now();
    let (first, headers) = wire::parse_head(&raw).map_err(Fault::Malformed)?;
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Fault::Malformed(format!("the request line {first:?}")));
    };
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return Err(Fault::Malformed(format!("the version of {first:?}")));
    }
    let body = Body::of_request(&headers).map_err(Fault::Malformed)?;
    let seen = Seen {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: Vec::new(),
        whole: false,
        at,
        connection,
        raw_head: raw.to_vec(),
        ended: None,
    };
    Ok((seen, body))
}

/// Reads a body into the journal, piece by piece, so that a test can see it come.
async fn receive(wire: &mut Wire, body: &mut Body, entry: &Entry) -> Result<(), Fault> {
    while let Some(piece) = body.next(wire).await? {
        entry.add(&piece);
    }
    Ok(())
}

/// Whether the request lets the connection go on (RFC 9112, section 9.3).
fn persists(seen: &Seen) -> bool {
    let modern = seen.raw_head.windows(11).any(|at| at == b" HTTP/1.1\r\n");
    modern && !wire::lists(&seen.headers, "connection", "close")
}

/// Whether the reply, which was sent to its end, lets the connection go on.
fn stays(reply: &Reply) -> bool {
    let framed = match reply.framing() {
        Framing::Length(length) => !reply.has_body() || length == reply.length(),
        Framing::Chunked | Framing::Own => true,
        Framing::UntilClose => !reply.has_body(),
    };
    framed && !wire::lists(&reply.headers, "connection", "close")
}

/// Does what the reply says. An error means that the peer went away.
async fn perform(wire: &mut Wire, reply: &Reply, seen: &Seen) -> io::Result<Ending> {
    for (status, fields) in &reply.interim {
        wire.write(&reply::head(*status, fields)).await?;
    }
    if let Some(gate) = &reply.head_gate {
        unless_left(wire, gate.pass()).await?;
    }
    match &reply.kind {
        Kind::Answer => answer(wire, reply, seen).await,
        Kind::HangUpBeforeHead => Ok(Ending::HungUp),
        Kind::Raw(bytes) => {
            wire.write(bytes).await?;
            Ok(Ending::HungUp)
        }
        Kind::Never => {
            wire.left().await;
            Ok(Ending::PeerLeft)
        }
        Kind::UpgradeEcho => echo(wire, reply, seen).await,
    }
}

/// Sends an answer, flushing at every gate and pause.
async fn answer(wire: &mut Wire, reply: &Reply, seen: &Seen) -> io::Result<Ending> {
    let mut out = reply.head();
    if seen.method == "HEAD" || !reply.has_body() {
        wire.write(&out).await?;
        return Ok(Ending::Sent);
    }
    let chunked = reply.framing() == Framing::Chunked;
    let mut budget = match reply.extent {
        Extent::UpTo(length) => length,
        Extent::Whole | Extent::Endless => usize::MAX,
    };
    let mut sent = 0;
    loop {
        for piece in &reply.pieces {
            hold(wire, reply, sent, &mut out).await?;
            if let Some(pause) = reply.pause.filter(|_| sent > 0) {
                flush(wire, &mut out).await?;
                unless_left(wire, tokio::time::sleep(pause)).await?;
            }
            let part = &piece[..piece.len().min(budget)];
            frame(&mut out, part, piece.len(), chunked);
            budget -= part.len();
            sent += 1;
            if part.len() < piece.len() {
                flush(wire, &mut out).await?;
                return Ok(Ending::HungUp);
            }
            if out.len() > GATHER || matches!(reply.extent, Extent::Endless) {
                flush(wire, &mut out).await?;
            }
        }
        if !matches!(reply.extent, Extent::Endless) {
            break;
        }
        // A body of nothing, repeated without a pause, would keep the origin from everything else.
        tokio::task::yield_now().await;
    }
    hold(wire, reply, sent, &mut out).await?;
    if matches!(reply.extent, Extent::UpTo(_)) {
        flush(wire, &mut out).await?;
        return Ok(Ending::HungUp);
    }
    if chunked {
        out.extend_from_slice(b"0\r\n");
        for (name, value) in &reply.trailers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
    flush(wire, &mut out).await?;
    Ok(Ending::Sent)
}

/// Adds a piece, or the part of it that is sent, in the framing of the body.
fn frame(out: &mut Vec<u8>, part: &[u8], size: usize, chunked: bool) {
    // A chunk of no bytes would be the last one, and one of which nothing is sent need not be begun.
    if chunked && !part.is_empty() {
        out.extend_from_slice(format!("{size:x}\r\n").as_bytes());
    }
    out.extend_from_slice(part);
    if chunked && !part.is_empty() && part.len() == size {
        out.extend_from_slice(b"\r\n");
    }
}

/// Waits at the gates that stand after `sent` pieces.
async fn hold(wire: &mut Wire, reply: &Reply, sent: usize, out: &mut Vec<u8>) -> io::Result<()> {
    for (after, gate) in &reply.gates {
        if *after == sent {
            flush(wire, out).await?;
            unless_left(wire, gate.pass()).await?;
        }
    }
    Ok(())
}

async fn flush(wire: &mut Wire, out: &mut Vec<u8>) -> io::Result<()> {
    wire.write(out).await?;
    out.clear();
    Ok(())
}

/// Waits for something, but not for a peer that is no longer there.
async fn unless_left(wire: &mut Wire, event: impl Future<Output = ()>) -> io::Result<()> {
    tokio::select! {
        () = event => Ok(()),
        () = wire.left() => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

/// Switches protocols and sends everything back.
async fn echo(wire: &mut Wire, reply: &Reply, seen: &Seen) -> io::Result<Ending> {
    let protocol = seen.header("upgrade").unwrap_or("websocket");
    let mut fields = reply.headers.clone();
    fields.push(("connection".to_owned(), "upgrade".to_owned()));
    fields.push(("upgrade".to_owned(), protocol.to_owned()));
    wire.write(&reply::head(reply.status, &fields)).await?;
    loop {
        let piece = wire.some(GATHER).await?;
        if piece.is_empty() {
            return Ok(Ending::HungUp);
        }
        wire.write(&piece).await?;
    }
}
