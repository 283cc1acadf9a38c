//! Who is to blame for a request that passes and fails.

use pingora::{Error, ErrorType};

use crate::failure::{ASKS_TO_BE_KEPT, Failure, Refusal};
use crate::passage::{Passage, Reached};

/// Who is to blame for a request that failed.
pub(super) enum Blame {
    Handler(Failure),
    /// The visitor's body stopped coming.
    Late,
    /// The visitor's body is not what its head announced.
    Malformed,
    /// The visitor has left.
    Gone,
}

pub(super) fn blame(error: &Error, passage: &Passage, request_whole: bool) -> Blame {
    match late(passage) {
        Some(Failure::FirstByteTimeout) if !request_whole => return Blame::Late,
        Some(failure) => return Blame::Handler(failure),
        None => {}
    }
    match error.esource() {
        pingora::ErrorSource::Downstream => {
            let unreadable = matches!(error.etype(), ErrorType::ReadError | ErrorType::InvalidHTTPHeader);
            if unreadable { Blame::Malformed } else { Blame::Gone }
        }
        pingora::ErrorSource::Upstream | pingora::ErrorSource::Internal | pingora::ErrorSource::Unset => {
            Blame::Handler(Failure::from(error))
        }
    }
}

/// How a handler that was late was late.
pub(super) fn late(passage: &Passage) -> Option<Failure> {
    passage.leash.reached().map(|reached| match reached {
        Reached::MaxDuration => Failure::MaxDuration,
        Reached::FirstByte => Failure::FirstByteTimeout,
        Reached::Idle => Failure::IdleTimeout,
    })
}

/// A failure as the framework takes it. Asking again would bring the same.
pub(super) fn error(failure: &Failure) -> Box<Error> {
    let error = match failure {
        Failure::Refused(Refusal::AsksToBeKept) => {
            Error::explain(ErrorType::Custom(ASKS_TO_BE_KEPT), "the answer asks to be kept")
        }
        Failure::Refused(Refusal::NotKept(_))
        | Failure::Connect
        | Failure::ConnectTimeout
        | Failure::Reset
        | Failure::FirstByteTimeout
        | Failure::IdleTimeout
        | Failure::MaxDuration
        | Failure::Malformed
        | Failure::Answer(_)
        | Failure::Status(_)
        | Failure::Crowded
        | Failure::Abandoned => {
            Error::explain(ErrorType::InvalidHTTPHeader, "the handler's answer can be read in two ways")
        }
    };
    let mut error = error.into_up();
    error.set_retry(false);
    error
}
