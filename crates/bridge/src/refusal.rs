//! Why a bridge did not pass a call on.

use std::fmt;

use protocol::{CallError, ErrorKind, method::MAX_HOPS};

/// Every way in which a call ends at the bridge, before anybody was sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has crossed as many bridges as a call may.
    Hops,
    /// The bridge does not join the group that it is for.
    UnknownGroup,
    /// The group that it came from is another one than the bridge was told.
    WrongGroup,
    /// The group that it is for cannot be reached.
    Unreachable,
    /// The group that it is for does not export it to the one that it came from.
    Forbidden,
    /// Nobody who is ready and exported offers it.
    NobodyOffers,
    /// Nobody of the name that was asked for is ready.
    NoService,
    /// As many calls as may be are under way between the two groups.
    Overloaded,
    /// Its caller has stopped waiting.
    Late,
}

/// What a call is, for the words of a refusal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The bridge's own name.
    pub(crate) bridge: &'a str,
    pub(crate) from: &'a str,
    pub(crate) group: &'a str,
    /// Empty where anybody will do.
    pub(crate) service: &'a str,
    pub(crate) method: &'a str,
}

/// How much of a name that a caller has sent is repeated to it.
const EXCERPT: usize = 64;

impl Refusal {
    /// The label of what is counted.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Refusal::Hops => "hops",
            Refusal::UnknownGroup => "unknown_group",
            Refusal::WrongGroup => "wrong_group",
            Refusal::Unreachable => "unavailable",
            Refusal::Forbidden => "forbidden",
            Refusal::NobodyOffers | Refusal::NoService => "not_found",
            Refusal::Overloaded => "overloaded",
            Refusal::Late => "deadline_exceeded",
        }
    }

    fn kind(self) -> ErrorKind {
        match self {
            Refusal::Hops | Refusal::Forbidden => ErrorKind::Forbidden,
            Refusal::WrongGroup | Refusal::Unreachable => ErrorKind::Unavailable,
            Refusal::UnknownGroup | Refusal::NobodyOffers | Refusal::NoService => {
                ErrorKind::NotFound
            }
            Refusal::Overloaded => ErrorKind::Overloaded,
            Refusal::Late => ErrorKind::DeadlineExceeded,
        }
    }

    /// What the caller gets.
    pub(crate) fn error(self, asked: Asked<'_>) -> CallError {
        let Asked { bridge, from, .. } = asked;
        let (group, method) = (Excerpt(asked.group), Excerpt(asked.method));
        let service = Excerpt(asked.service);
        let message = match self {
            Refusal::Hops => format!(
                "the request has crossed {MAX_HOPS} bridges: do services call each other in a circle?"
            ),
            Refusal::UnknownGroup => format!("{bridge} joins no other group called {group}"),
            Refusal::WrongGroup => {
                format!("{bridge} is told to find {from} here, and this is another group")
            }
            Refusal::Unreachable => format!("{bridge} cannot reach {group}"),
            Refusal::Forbidden if asked.service.is_empty() => {
                format!("{group} does not export {method} to {from}")
            }
            Refusal::Forbidden => {
                format!("{group} does not export {method} of {service} to {from}")
            }
            Refusal::NobodyOffers => format!("nobody in {group} offers {method}"),
            Refusal::NoService => format!("there is no {service} in {group}"),
            Refusal::Overloaded => {
                format!("{bridge} has as many calls from {from} to {group} as it may have")
            }
            Refusal::Late => "its time was over before it was passed on".to_owned(),
        };
        CallError::new(self.kind(), message)
    }
}

struct Excerpt<'a>(&'a str);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(EXCERPT) {
            None => f.write_str(self.0),
            Some((end, _)) => write!(f, "{}…", &self.0[..end]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'_> = Asked {
        bridge: "bridge@0",
        from: "GroupA",
        group: "GroupB",
        service: "",
        method: "echo",
    };

    #[test]
    fn a_refusal_says_what_is_wrong() {
        for (refusal, text) in [
            (
                Refusal::Forbidden,
                "forbidden: GroupB does not export echo to GroupA",
            ),
            (
                Refusal::NobodyOffers,
                "not_found: nobody in GroupB offers echo",
            ),
            (
                Refusal::Unreachable,
                "unavailable: bridge@0 cannot reach GroupB",
            ),
            (
                Refusal::UnknownGroup,
                "not_found: bridge@0 joins no other group called GroupB",
            ),
        ] {
            assert_eq!(refusal.error(ASKED).to_string(), text);
        }
        let named = Asked {
            service: "scene@1",
            ..ASKED
        };
        assert_eq!(
            Refusal::NoService.error(named).message,
            "there is no scene@1 in GroupB"
        );
        assert_eq!(
            Refusal::Forbidden.error(named).message,
            "GroupB does not export echo of scene@1 to GroupA"
        );
    }

    #[test]
    fn what_a_caller_sends_is_repeated_in_part() {
        let long = "é".repeat(1 << 19);
        let asked = Asked {
            group: &long,
            ..ASKED
        };
        assert!(Refusal::UnknownGroup.error(asked).message.len() < 256);
    }
}
