//! Asking a handler: a connection, a request, the head of the answer; tried again when nothing came back.

use std::time::SystemTime;

use evergate_cache::{EVERGATE_CACHE_CONTROL, ResponseHead};
use http::StatusCode;
use pingora::protocols::http::v1::client::HttpSession;
use tokio::time::timeout;

use super::Answering;
use super::answer::{read, received};
use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::handler_request::HandlerRequest;
use crate::upstream::{Preference, Server, Upstream};

/// Asks the upstream, and again up to `retries` times while nothing comes back: the request is a GET, so asking twice does
/// no harm (RFC 9110 section 9.2.2). `interim` is told of interim answers.
pub(super) async fn ask(
    gateway: &Gateway,
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
        match attempt(gateway, upstream, target, (request, interim), &mut reused).await {
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
    gateway: &Gateway,
    upstream: &Upstream,
    (server, attempt): (&Server, usize),
    (request, interim): (&HandlerRequest, &(dyn Fn(ResponseHead) + Sync)),
    reused: &mut bool,
) -> Result<Answering, Failure> {
    let peer = server.peer(&upstream.timeouts, attempt).await?;
    let header = request.header(upstream.configured_host(), server.host()).map_err(|_| Failure::Malformed)?;
    let (mut session, was_reused) =
        gateway.connector.get_http_session(&peer).await.map_err(|error| Failure::from(&*error))?;
    *reused = was_reused;
    let head = async {
        session.write_request_header(Box::new(header)).await.map_err(|error| broken(&error))?;
        final_head(&mut session, interim).await
    };
    match timeout(upstream.timeouts.first_byte, head).await {
        Ok(Ok(())) => Ok(Answering { session, peer }),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(Failure::FirstByteTimeout),
    }
}

/// Reads heads until one is final; 1xx answers are passed on (RFC 9110 section 15.2), but for 100, which answers an expectation
/// that nobody had.
async fn final_head(session: &mut HttpSession, interim: &(dyn Fn(ResponseHead) + Sync)) -> Result<(), Failure> {
    loop {
        session.read_response().await.map_err(|error| broken(&error))?;
        match session.get_status() {
            Some(StatusCode::SWITCHING_PROTOCOLS) | None => return Err(Failure::Malformed),
            Some(StatusCode::CONTINUE) => {}
            Some(status) if status.is_informational() => {
                let head = session.resp_header().ok_or(Failure::Malformed)?;
                let mut head = received(&read(head), SystemTime::UNIX_EPOCH)?.head;
                head.fields.remove(&EVERGATE_CACHE_CONTROL);
                interim(head);
            }
            Some(_) => return Ok(()),
        }
    }
}

/// What broke before the head was there. A time-out here is that of writing the request.
fn broken(error: &pingora::Error) -> Failure {
    let failure = Failure::from(error);
    if matches!(failure, Failure::IdleTimeout) { Failure::FirstByteTimeout } else { failure }
}
