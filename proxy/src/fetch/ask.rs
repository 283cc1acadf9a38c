//! Asking a handler: a connection, a request, the head of the answer; tried again when nothing came back.

use std::time::SystemTime;

use evergate_cache::{EVERGATE_CACHE_CONTROL, ResponseHead};
use http::StatusCode;
use tokio::time::timeout;

use super::Answering;
use super::answer::received;
use crate::failure::Failure;
use crate::handler_request::HandlerRequest;
use crate::upstream::{Connection, Preference, Server, Upstream};

/// Asks the upstream, and again up to `retries` times while nothing comes back: the request is a GET, so asking twice does
/// no harm (RFC 9110 section 9.2.2). `interim` is told of interim answers.
pub(super) async fn ask(
    (upstream, preference): (&Upstream, &Preference),
    request: &HandlerRequest,
    interim: &(dyn Fn(ResponseHead) + Sync),
) -> Result<Answering, Failure> {
    let mut attempts_left = upstream.retries;
    let mut forgiven = false;
    let turn = upstream.turn();
    let mut attempts = 0;
    loop {
        let mut reused = false;
        let server = upstream.server(preference, turn, attempts)?;
        let target = (server, attempts);
        attempts += 1;
        match attempt(upstream, target, (request, interim), &mut reused).await {
            // A kept connection that turns out to be closed says nothing about the handler: once, that costs no attempt.
            // Not more often, because a request that makes its handler hang up would be sent on every connection there is.
            Err(Failure::Reset) if reused && !forgiven => forgiven = true,
            Err(failure) if failure.worth_a_retry() => {
                upstream.note_failure(server.place);
                if attempts_left == 0 {
                    return Err(failure);
                }
                attempts_left -= 1;
            }
            result => return result,
        }
    }
}

/// One attempt at one server. `reused` tells whether the connection had been used before.
async fn attempt(
    upstream: &Upstream,
    (server, attempt): (&Server, usize),
    (request, interim): (&HandlerRequest, &(dyn Fn(ResponseHead) + Sync)),
    reused: &mut bool,
) -> Result<Answering, Failure> {
    let mut connection = server.connect(&upstream.timeouts, attempt).await?;
    *reused = connection.is_reused();
    let head = request.head(upstream.configured_host(), server.host());
    let answered = async {
        connection.send(&head, upstream.timeouts.idle).await?;
        final_head(&mut connection, interim).await
    };
    match timeout(upstream.timeouts.first_byte, answered).await {
        Ok(Ok(head)) => Ok(Answering { connection, head }),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(Failure::FirstByteTimeout),
    }
}

/// Reads heads until one is final; 1xx answers are passed on (RFC 9110 section 15.2), but for 100, which answers an expectation
/// that nobody had.
async fn final_head(
    connection: &mut Connection,
    interim: &(dyn Fn(ResponseHead) + Sync),
) -> Result<ResponseHead, Failure> {
    loop {
        let answer = connection.head().await?;
        match answer.head.status {
            StatusCode::SWITCHING_PROTOCOLS => return Err(Failure::Malformed),
            StatusCode::CONTINUE => {}
            status if status.is_informational() => {
                let mut head = received(&answer.head, SystemTime::UNIX_EPOCH)?.head;
                head.fields.remove(&EVERGATE_CACHE_CONTROL);
                interim(head);
            }
            _ => return Ok(answer.head),
        }
    }
}
