//! How a connection's end is told: to the client, in the log, in the metrics.

use std::time::Duration;

use bytes::Bytes;
use protocol::{
    client::{CMD_VERIFY, FLAG_CLOSED, encode_frame},
    close_reason_name,
    v1::CloseReason,
};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use crate::session::End;

/// A client that does not read its farewell within this time goes without.
pub(crate) const FAREWELL_TIME: Duration = Duration::from_secs(1);

/// What a client is told at the end.
#[derive(Debug)]
pub(crate) struct Farewell {
    /// The last frame: `cmd` 0, `flags` 1, the reason; or where the client goes on.
    pub(crate) frame: Bytes,
    /// The same for those who look at WebSocket's own close.
    pub(crate) websocket: CloseFrame,
}

impl Farewell {
    /// What there is to say, unless nobody is there to hear it.
    pub(crate) fn of(end: &End) -> Option<Farewell> {
        let code = match end.reason {
            CloseReason::ClientClosed
            | CloseReason::SocketError
            // There is nothing yet to tell it by.
            | CloseReason::TlsFailed
            | CloseReason::OriginRefused
            | CloseReason::ProxyHeader => return None,
            CloseReason::ProtocolError => CloseCode::Protocol,
            CloseReason::FrameTooLarge => CloseCode::Size,
            CloseReason::Unspecified | CloseReason::ClosedByScene | CloseReason::Redirected => {
                CloseCode::Normal
            }
            CloseReason::Draining => CloseCode::Away,
            // It may be otherwise in a moment.
            CloseReason::GateFull
            | CloseReason::CrowdedOut
            | CloseReason::NoGate
            | CloseReason::VerifyUnavailable
            | CloseReason::SceneLost
            | CloseReason::GroupLost => CloseCode::Again,
            CloseReason::VerifyTimeout
            | CloseReason::VerifyRefused
            | CloseReason::UnverifiedFrame
            | CloseReason::Idle
            | CloseReason::SlowConsumer
            | CloseReason::RateLimited
            | CloseReason::AddressFull
            | CloseReason::ResumeRefused
            | CloseReason::TicketRefused
            | CloseReason::Replaced => CloseCode::Policy,
        };
        let name = close_reason_name(end.reason);
        let text = end.text.as_deref().unwrap_or(name);
        Some(Farewell {
            frame: match &end.redirect {
                Some(redirect) => redirect.encode(),
                None => encode_frame(CMD_VERIFY, FLAG_CLOSED, text.as_bytes()),
            },
            websocket: CloseFrame {
                code,
                reason: name.into(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn farewell(reason: CloseReason, text: Option<&str>) -> Option<Farewell> {
        Farewell::of(&End {
            text: text.map(str::to_owned),
            ..End::of(reason)
        })
    }

    #[test]
    fn client_is_told_the_reason_or_the_words_of_the_refusal() {
        let told = farewell(CloseReason::Idle, None).unwrap();
        assert_eq!(told.frame, encode_frame(0, 1, b"idle"));
        let told = farewell(CloseReason::VerifyRefused, Some("wrong password")).unwrap();
        assert_eq!(told.frame, encode_frame(0, 1, b"wrong password"));
        assert_eq!(told.websocket.reason.as_str(), "verify_refused");
    }

    #[test]
    fn client_that_has_gone_is_told_nothing() {
        assert!(farewell(CloseReason::ClientClosed, None).is_none());
        assert!(farewell(CloseReason::SocketError, None).is_none());
    }

    #[test]
    fn every_reason_fits_in_a_websocket_close() {
        for reason in (0..).map_while(|n| CloseReason::try_from(n).ok()) {
            if let Some(told) = farewell(reason, None) {
                assert!(told.websocket.reason.len() <= 123);
                assert!(told.websocket.code.is_allowed());
            }
        }
    }

    /// The page for those who write clients has each reason once, in the order of
    /// the enum, with the code that goes with it.
    #[test]
    fn table_of_the_clients_page_is_the_enum() {
        let page = include_str!("../../../proto/clients.md");
        let (_, table) = page.split_once("| reason | code |").unwrap();
        let rows = table.lines().filter(|line| line.starts_with("| `"));
        let rows: Vec<(&str, &str)> = rows
            .map(|row| {
                let mut cells = row.split('|').map(str::trim).skip(1);
                (
                    cells.next().unwrap().trim_matches('`'),
                    cells.next().unwrap(),
                )
            })
            .collect();
        let reasons = (0..).map_while(|n| CloseReason::try_from(n).ok());
        let expected: Vec<_> = reasons
            .map(|reason| {
                let code = farewell(reason, None).map(|told| u16::from(told.websocket.code));
                let code = code.map(|code| code.to_string()).unwrap_or_default();
                (close_reason_name(reason), code)
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, code)| (*name, &**code))
            .collect();
        assert_eq!(rows, expected);
    }
}
