//! The named ways in which talking to a handler fails, and what each becomes.

use std::sync::Arc;

use bytes::Bytes;
use evergate_cache::{FailureKind, ResponseHead};
use http::StatusCode;
use pingora::{Error, ErrorType};

/// How a request to a handler failed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// No connection: refused, no route, or its name does not resolve.
    Connect,
    /// No connection within `timeouts.connect`.
    ConnectTimeout,
    /// The connection was closed or reset before the response was whole.
    Reset,
    /// No response within `timeouts.first_byte`.
    FirstByteTimeout,
    /// Nothing more within `timeouts.idle`.
    IdleTimeout,
    /// Not done within `max_duration`.
    MaxDuration,
    /// What came is not HTTP, or its head is too large.
    Malformed,
    /// The handler answered with a 5xx or 429.
    Answer(Arc<ErrorAnswer>),
    /// The same, and the answer is for whoever asked alone, because the handler saw their whole request.
    Status(StatusCode),
    /// More visitors wait for one fill than may.
    Crowded,
    /// The fill was given up twice: a bug in the gateway.
    Abandoned,
}

/// An error page of the handler's, made without anything of a visitor's and so fit for everyone who waited.
#[derive(Debug)]
pub struct ErrorAnswer {
    /// Status and fields, without `Set-Cookie`.
    pub head: ResponseHead,
    /// Its body.
    pub body: Bytes,
}

impl Failure {
    /// The name of every failure that can come of asking, for metrics.
    pub const NAMES: [&'static str; 7] =
        ["connect", "connect-timeout", "reset", "first-byte-timeout", "idle-timeout", "max-duration", "malformed"];

    /// The status a visitor gets, and the name of the failure in headers, logs and metrics.
    pub fn describe(&self) -> (StatusCode, &'static str) {
        match self {
            Failure::Connect => (StatusCode::BAD_GATEWAY, "connect"),
            Failure::ConnectTimeout => (StatusCode::GATEWAY_TIMEOUT, "connect-timeout"),
            Failure::Reset => (StatusCode::BAD_GATEWAY, "reset"),
            Failure::FirstByteTimeout => (StatusCode::GATEWAY_TIMEOUT, "first-byte-timeout"),
            Failure::IdleTimeout => (StatusCode::GATEWAY_TIMEOUT, "idle-timeout"),
            Failure::MaxDuration => (StatusCode::GATEWAY_TIMEOUT, "max-duration"),
            Failure::Malformed => (StatusCode::BAD_GATEWAY, "malformed"),
            Failure::Answer(answer) => (answer.head.status, "status"),
            Failure::Status(status) => (*status, "status"),
            Failure::Crowded => (StatusCode::SERVICE_UNAVAILABLE, "crowded"),
            Failure::Abandoned => (StatusCode::BAD_GATEWAY, "abandoned"),
        }
    }

    /// The name of the failure.
    pub fn as_str(&self) -> &'static str {
        self.describe().1
    }

    /// How the handler failed, for what may be served all the same.
    pub fn kind(&self) -> FailureKind {
        match self {
            Failure::Answer(_) | Failure::Status(_) => FailureKind::Answered,
            Failure::Connect
            | Failure::ConnectTimeout
            | Failure::Reset
            | Failure::FirstByteTimeout
            | Failure::IdleTimeout
            | Failure::MaxDuration
            | Failure::Malformed => FailureKind::Unreachable,
            Failure::Crowded | Failure::Abandoned => FailureKind::NotAsked,
        }
    }

    /// Whether it may be due to something in the request of whoever asked, so that others may fare better.
    pub fn may_be_the_askers(&self) -> bool {
        match self {
            Failure::Status(_) | Failure::Reset | Failure::Malformed => true,
            Failure::Connect
            | Failure::ConnectTimeout
            | Failure::FirstByteTimeout
            | Failure::IdleTimeout
            | Failure::MaxDuration
            | Failure::Answer(_)
            | Failure::Crowded
            | Failure::Abandoned => false,
        }
    }

    /// Whether another attempt may fare better: nothing came back, so nothing was answered.
    pub fn worth_a_retry(&self) -> bool {
        match self {
            Failure::Connect | Failure::ConnectTimeout | Failure::Reset => true,
            Failure::FirstByteTimeout
            | Failure::IdleTimeout
            | Failure::MaxDuration
            | Failure::Malformed
            | Failure::Answer(_)
            | Failure::Status(_)
            | Failure::Crowded
            | Failure::Abandoned => false,
        }
    }
}

impl From<&Error> for Failure {
    /// The framework's error types that can come from a handler's side, in our words.
    fn from(error: &Error) -> Failure {
        match error.etype() {
            ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => Failure::ConnectTimeout,
            ErrorType::ConnectRefused
            | ErrorType::ConnectNoRoute
            | ErrorType::ConnectError
            | ErrorType::ConnectProxyFailure
            | ErrorType::BindError
            | ErrorType::SocketError
            | ErrorType::TLSWantX509Lookup
            | ErrorType::TLSHandshakeFailure
            | ErrorType::InvalidCert
            | ErrorType::HandshakeError => Failure::Connect,
            ErrorType::ReadTimedout | ErrorType::WriteTimedout => Failure::IdleTimeout,
            ErrorType::InvalidHTTPHeader
            | ErrorType::UnknownError
            | ErrorType::H1Error
            | ErrorType::H2Error
            | ErrorType::H2Downgrade
            | ErrorType::InvalidH2 => Failure::Malformed,
            // Read, write and close: the connection broke. What cannot come from a handler's side counts as that.
            ErrorType::ReadError
            | ErrorType::WriteError
            | ErrorType::ConnectionClosed
            | ErrorType::AcceptError
            | ErrorType::HTTPStatus(_)
            | ErrorType::FileOpenError
            | ErrorType::FileCreateError
            | ErrorType::FileReadError
            | ErrorType::FileWriteError
            | ErrorType::InternalError
            | ErrorType::Custom(_)
            | ErrorType::CustomCode(..) => Failure::Reset,
        }
    }
}
