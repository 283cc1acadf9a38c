//! The named ways in which talking to a handler fails, and what each becomes.

use std::sync::Arc;

use bytes::Bytes;
use evergate_cache::{DeclineReason, FailureKind, ResponseHead};
use http::StatusCode;
use pingora::{Error, ErrorType};

/// The name of [`Refusal::AsksToBeKept`], by which the framework's error carries it.
pub const ASKS_TO_BE_KEPT: &str = "asks-to-be-kept";

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
    /// Its answer is not kept, for this reason, and the route takes that for an error (`dynamic: error`, `only-cache`), or it asks
    /// to be kept, and the route takes that for one (`only-no-store`).
    Refused(Refusal),
    /// More visitors wait for one fill than may.
    Crowded,
    /// The fill was given up twice: a bug in the gateway.
    Abandoned,
}

/// What a route takes for an error in an answer that is none by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be kept.
    NotKept(DeclineReason),
    /// It asks to be kept.
    AsksToBeKept,
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
            Failure::Refused(refusal) => (StatusCode::INTERNAL_SERVER_ERROR, refusal.as_str()),
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
            Failure::Answer(_) | Failure::Status(_) | Failure::Refused(_) => FailureKind::Answered,
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
            | Failure::Refused(_)
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
            | Failure::Refused(_)
            | Failure::Crowded
            | Failure::Abandoned => false,
        }
    }

    /// What went wrong, for people.
    pub fn explanation(&self) -> String {
        match self {
            Failure::Refused(Refusal::NotKept(reason)) => {
                format!("the route demands an answer that can be kept, and this one cannot ({})", reason.as_str())
            }
            Failure::Refused(Refusal::AsksToBeKept) => {
                "the route demands an answer that is not kept, and this one asks to be (asks-to-be-kept)".to_owned()
            }
            Failure::Connect
            | Failure::ConnectTimeout
            | Failure::Reset
            | Failure::FirstByteTimeout
            | Failure::IdleTimeout
            | Failure::MaxDuration
            | Failure::Malformed
            | Failure::Answer(_)
            | Failure::Status(_)
            | Failure::Crowded
            | Failure::Abandoned => format!("the handler service did not answer ({})", self.as_str()),
        }
    }
}

impl Refusal {
    /// The stable name used in headers, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::NotKept(reason) => reason.as_str(),
            Refusal::AsksToBeKept => ASKS_TO_BE_KEPT,
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
            ErrorType::Custom(ASKS_TO_BE_KEPT) => Failure::Refused(Refusal::AsksToBeKept),
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
