//! The words for why a client's connection ended.

use crate::v1::CloseReason;

/// The reason as clients read it and as metrics label it: `slow_consumer`.
pub fn close_reason_name(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Unspecified => "unspecified",
        CloseReason::ClientClosed => "client_closed",
        CloseReason::SocketError => "socket_error",
        CloseReason::VerifyTimeout => "verify_timeout",
        CloseReason::VerifyRefused => "verify_refused",
        CloseReason::VerifyUnavailable => "verify_unavailable",
        CloseReason::UnverifiedFrame => "unverified_frame",
        CloseReason::ProtocolError => "protocol_error",
        CloseReason::FrameTooLarge => "frame_too_large",
        CloseReason::Idle => "idle",
        CloseReason::SlowConsumer => "slow_consumer",
        CloseReason::RateLimited => "rate_limited",
        CloseReason::GateFull => "gate_full",
        CloseReason::AddressFull => "address_full",
        CloseReason::Replaced => "replaced",
        CloseReason::ClosedByScene => "closed_by_scene",
        CloseReason::SceneLost => "scene_lost",
        CloseReason::GroupLost => "group_lost",
        CloseReason::Draining => "draining",
        CloseReason::CrowdedOut => "crowded_out",
        CloseReason::ResumeRefused => "resume_refused",
        CloseReason::TlsFailed => "tls_failed",
        CloseReason::OriginRefused => "origin_refused",
        CloseReason::ProxyHeader => "proxy_header",
        CloseReason::TicketRefused => "ticket_refused",
        CloseReason::NoGate => "no_gate",
        CloseReason::Redirected => "redirected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_protocol_in_lower_case() {
        for number in 0..=26 {
            let reason = CloseReason::try_from(number).unwrap();
            let expected = reason
                .as_str_name()
                .trim_start_matches("CLOSE_REASON_")
                .to_lowercase();
            assert_eq!(close_reason_name(reason), expected);
        }
        assert!(
            CloseReason::try_from(27).is_err(),
            "a reason without a test"
        );
    }
}
