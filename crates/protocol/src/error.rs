//! How a call ends without a response.

use std::fmt;

use prost::Message;

use crate::v1;

/// Why a call ended without a response, in words and as something to act on.
///
/// A caller recovers by kind: look the service up again ([`NotFound`],
/// [`Unavailable`]), slow down ([`Overloaded`]), ask whether it was done after
/// all ([`DeadlineExceeded`], [`Unavailable`]), or fix the program (the rest).
///
/// [`NotFound`]: ErrorKind::NotFound
/// [`Unavailable`]: ErrorKind::Unavailable
/// [`Overloaded`]: ErrorKind::Overloaded
/// [`DeadlineExceeded`]: ErrorKind::DeadlineExceeded
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct CallError {
    /// What a program acts on.
    pub kind: ErrorKind,
    /// What a person reads.
    pub message: String,
}

/// Every way in which a call can end without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The handler's own error.
    Handler,
    /// No such service.
    NotFound,
    /// The service has no such method.
    Unimplemented,
    /// The destination is gone, or no broker is left.
    Unavailable,
    /// No answer came in time.
    DeadlineExceeded,
    /// There was no room for it, here or on the way.
    Overloaded,
    /// It was larger than an envelope may be.
    TooLarge,
    /// The other group does not export it.
    Forbidden,
    /// A broker's word to a node: I have no link to that destination.
    NoRoute,
}

impl ErrorKind {
    /// The kind as scripts and metrics read it: `deadline_exceeded`.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Handler => "handler",
            ErrorKind::NotFound => "not_found",
            ErrorKind::Unimplemented => "unimplemented",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::DeadlineExceeded => "deadline_exceeded",
            ErrorKind::Overloaded => "overloaded",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::Forbidden => "forbidden",
            ErrorKind::NoRoute => "no_route",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl CallError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        CallError {
            kind,
            message: message.into(),
        }
    }

    /// As the body of an envelope.
    pub fn encode(&self) -> Vec<u8> {
        v1::CallError {
            kind: v1::ErrorKind::from(self.kind).into(),
            message: self.message.clone(),
        }
        .encode_to_vec()
    }

    /// From the body of an envelope. A body that is no error is an error too:
    /// whatever came, the call has ended.
    pub fn decode(body: &[u8]) -> Self {
        match v1::CallError::decode(body) {
            Ok(error) => CallError::new(ErrorKind::from(error.kind()), error.message),
            Err(error) => CallError::new(
                ErrorKind::Handler,
                format!("the error that was answered cannot be read: {error}"),
            ),
        }
    }
}

impl From<ErrorKind> for v1::ErrorKind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Handler => v1::ErrorKind::Handler,
            ErrorKind::NotFound => v1::ErrorKind::NotFound,
            ErrorKind::Unimplemented => v1::ErrorKind::Unimplemented,
            ErrorKind::Unavailable => v1::ErrorKind::Unavailable,
            ErrorKind::DeadlineExceeded => v1::ErrorKind::DeadlineExceeded,
            ErrorKind::Overloaded => v1::ErrorKind::Overloaded,
            ErrorKind::TooLarge => v1::ErrorKind::TooLarge,
            ErrorKind::Forbidden => v1::ErrorKind::Forbidden,
            ErrorKind::NoRoute => v1::ErrorKind::NoRoute,
        }
    }
}

impl From<v1::ErrorKind> for ErrorKind {
    fn from(kind: v1::ErrorKind) -> Self {
        match kind {
            // A kind that this version does not know still ends the call.
            v1::ErrorKind::Unspecified | v1::ErrorKind::Handler => ErrorKind::Handler,
            v1::ErrorKind::NotFound => ErrorKind::NotFound,
            v1::ErrorKind::Unimplemented => ErrorKind::Unimplemented,
            v1::ErrorKind::Unavailable => ErrorKind::Unavailable,
            v1::ErrorKind::DeadlineExceeded => ErrorKind::DeadlineExceeded,
            v1::ErrorKind::Overloaded => ErrorKind::Overloaded,
            v1::ErrorKind::TooLarge => ErrorKind::TooLarge,
            v1::ErrorKind::Forbidden => ErrorKind::Forbidden,
            v1::ErrorKind::NoRoute => ErrorKind::NoRoute,
        }
    }
}

/// The one mapping to gRPC, for those who call over it.
impl From<CallError> for tonic::Status {
    fn from(error: CallError) -> Self {
        let code = match error.kind {
            ErrorKind::Handler => tonic::Code::Unknown,
            ErrorKind::NotFound => tonic::Code::NotFound,
            ErrorKind::Unimplemented => tonic::Code::Unimplemented,
            ErrorKind::Unavailable | ErrorKind::NoRoute => tonic::Code::Unavailable,
            ErrorKind::DeadlineExceeded => tonic::Code::DeadlineExceeded,
            ErrorKind::Overloaded => tonic::Code::ResourceExhausted,
            ErrorKind::TooLarge => tonic::Code::OutOfRange,
            ErrorKind::Forbidden => tonic::Code::PermissionDenied,
        };
        tonic::Status::new(code, error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_wire() {
        for number in 1..=9 {
            let kind = ErrorKind::from(v1::ErrorKind::try_from(number).unwrap());
            let error = CallError::new(kind, "scene@0 is asleep");
            assert_eq!(CallError::decode(&error.encode()), error);
        }
    }

    #[test]
    fn a_body_that_is_no_error_still_ends_the_call() {
        assert_eq!(CallError::decode(b"\xff\xff").kind, ErrorKind::Handler);
    }
}
