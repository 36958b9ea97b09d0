//! What rustls says, as a label and in words.

use std::{io, time::Duration};

use rustls::{AlertDescription, CertificateError, Error, OtherError, pki_types::UnixTime};

/// Why a handshake failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reason {
    /// For metrics: one of a dozen.
    pub(super) label: &'static str,
    /// For people; speaks of the other end and its certificate as "it".
    pub(super) words: String,
    /// Whose fault it is.
    pub(super) fault: Fault,
}

/// What a handshake has failed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// This end does not take the other's certificate.
    Theirs,
    /// The other end does not take this one's.
    Ours,
    /// Neither: they do not speak the same language, or no longer.
    Neither,
}

impl Reason {
    pub(super) fn new(label: &'static str, words: impl Into<String>, fault: Fault) -> Reason {
        Reason {
            label,
            words: words.into(),
            fault,
        }
    }

    /// Of a handshake that took longer than `limit`.
    pub(super) fn timeout(limit: Duration) -> Reason {
        let words = format!(
            "it did not finish the handshake within {} s",
            limit.as_secs()
        );
        Reason::new("timeout", words, Fault::Neither)
    }

    /// Of a handshake that was under way when so many others had begun.
    pub(super) fn crowded_out(others: usize) -> Reason {
        let words = format!("it was the slowest when {others} others had begun theirs");
        Reason::new("crowded_out", words, Fault::Neither)
    }

    /// Of an error of the stream, which carries rustls's where there is one.
    pub(super) fn of(error: &io::Error) -> Reason {
        let rustls = error.get_ref().and_then(|inner| inner.downcast_ref());
        match rustls {
            Some(error) => Reason::of_tls(error),
            None => Reason::new("closed", closed(error), Fault::Neither),
        }
    }

    fn of_tls(error: &Error) -> Reason {
        match error {
            Error::InvalidCertificate(error) => {
                let (label, words) = certificate(error, UnixTime::now());
                Reason::new(label, words, Fault::Theirs)
            }
            Error::NoCertificatesPresented => {
                Reason::new("no_certificate", "it shows no certificate", Fault::Theirs)
            }
            Error::AlertReceived(description) => alert(*description),
            Error::InvalidMessage(_) => Reason::new(
                "not_tls",
                "what it sends is not TLS; is TLS turned on in its topology too?",
                Fault::Neither,
            ),
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Reason::new(
                "incompatible",
                format!("it does not speak HTTP/2 over TLS 1.3 ({error})"),
                Fault::Neither,
            ),
            error => Reason::new("other", error.to_string(), Fault::Neither),
        }
    }
}

/// What is wrong with a certificate, as a label and in words that go on from
/// "the certificate is refused:".
pub(super) fn certificate(error: &CertificateError, now: UnixTime) -> (&'static str, String) {
    match error {
        CertificateError::Expired => ("expired", "it has expired".into()),
        CertificateError::ExpiredContext { not_after, .. } => (
            "expired",
            format!("it expired {} ago", span(now, *not_after)),
        ),
        CertificateError::NotValidYet => ("not_yet_valid", "it is not valid yet".into()),
        CertificateError::NotValidYetContext { not_before, .. } => (
            "not_yet_valid",
            format!(
                "it is not valid yet, but in {}; are the clocks of both machines right?",
                span(*not_before, now)
            ),
        ),
        // Another authority of the same name shows as a wrong signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "unknown_authority",
            "it is not signed by the group's authority".into(),
        ),
        CertificateError::BadEncoding => ("bad_certificate", "it cannot be parsed".into()),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ("foreign", "it is another node's".into())
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
            "bad_certificate",
            "its extendedKeyUsage does not allow this end of a connection: \
             sign one without, or with serverAuth and clientAuth"
                .into(),
        ),
        CertificateError::Other(OtherError(error)) => match error.downcast_ref() {
            Some(webpki::Error::CaUsedAsEndEntity) => (
                "bad_certificate",
                "it is an authority's (basicConstraints CA:TRUE), not a node's".into(),
            ),
            _ => ("bad_certificate", error.to_string()),
        },
        error => ("bad_certificate", error.to_string()),
    }
}

/// What the other end says on its way out.
fn alert(description: AlertDescription) -> Reason {
    let words = match description {
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "it is not signed by the authority that is known there"
        }
        AlertDescription::CertificateExpired => {
            "it has expired, or is not valid yet, by the clock there"
        }
        AlertDescription::CertificateRequired => "none was shown",
        AlertDescription::UnsupportedCertificate => {
            "its extendedKeyUsage does not allow this end of a connection: \
             sign one without, or with serverAuth and clientAuth"
        }
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRevoked
        | AlertDescription::AccessDenied => "it is not a node's certificate, or another node's",
        AlertDescription::ProtocolVersion
        | AlertDescription::HandshakeFailure
        | AlertDescription::NoApplicationProtocol => {
            return Reason::new(
                "incompatible",
                format!("it does not take HTTP/2 over TLS 1.3 (alert {description:?})"),
                Fault::Neither,
            );
        }
        _ => {
            return Reason::new(
                "other",
                format!("it ended the handshake (alert {description:?})"),
                Fault::Neither,
            );
        }
    };
    Reason::new("refused_by_peer", words, Fault::Ours)
}

fn closed(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it closed the connection during the handshake".into(),
        _ => format!("the connection broke during the handshake: {error}"),
    }
}

/// From `earlier` to `later`, as a person would say it.
fn span(later: UnixTime, earlier: UnixTime) -> String {
    let seconds = later.as_secs().saturating_sub(earlier.as_secs());
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_span_is_told_in_its_largest_fitting_unit() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (7_199, "119 minutes"),
            (7_200, "2 hours"),
            (172_800, "2 days"),
            (86_400 * 400, "400 days"),
        ] {
            assert_eq!(span(at(1_000 + seconds), at(1_000)), words);
        }
    }

    #[test]
    fn expiry_says_when() {
        let error = CertificateError::ExpiredContext {
            time: at(0),
            not_after: at(1_000),
        };
        assert_eq!(
            certificate(&error, at(4_600)),
            ("expired", "it expired 60 minutes ago".to_owned())
        );
    }

    #[test]
    fn an_alert_about_a_certificate_is_this_ends_fault() {
        assert_eq!(alert(AlertDescription::UnknownCA).fault, Fault::Ours);
        assert_eq!(alert(AlertDescription::InternalError).fault, Fault::Neither);
    }
}
