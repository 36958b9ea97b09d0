//! Where a gate is.

use std::str::FromStr;

use crate::{ClientError, Trust};

/// Where a gate is: `tcp://host:port` or `tls://host:port`, `ws://host:port` or
/// `wss://host`, with whatever path. With `tls` and `wss` the gate has to show a certificate
/// for that host; which ones are believed is [said](Self::trusting), those of the system
/// unless it is.
#[derive(Clone, Debug)]
pub struct Address {
    url: String,
    scheme: Scheme,
    host: String,
    port: u16,
    trust: Trust,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Tcp,
    Tls,
    Ws,
    Wss,
}

impl Address {
    /// The same place, and whose certificates are believed there.
    #[must_use]
    pub fn trusting(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Where a gate there sends its clients. What began with TLS goes on with it: a ticket
    /// opens a session, and is not to be read on the way.
    pub(crate) fn leads_to(&self, url: &str) -> Result<Address, ClientError> {
        let to: Address = url.parse()?;
        if self.scheme.is_encrypted() && !to.scheme.is_encrypted() {
            return Err(ClientError::Protocol(
                "a gate with TLS that sends its clients to one without",
            ));
        }
        Ok(to.trusting(self.trust.clone()))
    }

    /// As it was given.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }
}

impl Scheme {
    pub(crate) fn is_encrypted(self) -> bool {
        matches!(self, Scheme::Tls | Scheme::Wss)
    }

    /// The port where none is said.
    fn port(self) -> Option<u16> {
        match self {
            Scheme::Tcp | Scheme::Tls => None,
            Scheme::Ws => Some(80),
            Scheme::Wss => Some(443),
        }
    }
}

impl FromStr for Address {
    type Err = ClientError;

    fn from_str(url: &str) -> Result<Self, ClientError> {
        let parsed = || {
            let (scheme, rest) = url.split_once("://")?;
            let scheme = match scheme {
                "tcp" => Scheme::Tcp,
                "tls" => Scheme::Tls,
                "ws" => Scheme::Ws,
                "wss" => Scheme::Wss,
                _ => return None,
            };
            let place = rest.split(['/', '?']).next()?;
            // An IPv6 address has colons of its own, and then brackets.
            let (host, port) = match place.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
                _ => (place, None),
            };
            let port = match port {
                Some(port) => port.parse().ok()?,
                None => scheme.port()?,
            };
            let host = host.trim_start_matches('[').trim_end_matches(']');
            (!host.is_empty()).then(|| Address {
                url: url.to_owned(),
                scheme,
                host: host.to_owned(),
                port,
                trust: Trust::default(),
            })
        };
        parsed().ok_or_else(|| ClientError::Address {
            url: url.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls_with_a_port_or_the_one_of_the_web() {
        for (url, host, port) in [
            ("tcp://127.0.0.1:10242", "127.0.0.1", 10242),
            ("tls://game.example:443", "game.example", 443),
            ("ws://[::1]:10243/play", "::1", 10243),
            ("ws://[::1]/play", "::1", 80),
            ("wss://game.example", "game.example", 443),
            ("wss://game.example/play:8?a=b:9", "game.example", 443),
        ] {
            let address: Address = url.parse().unwrap();
            assert_eq!((address.host(), address.port()), (host, port), "{url}");
        }
        for url in [
            "",
            "127.0.0.1:10242",
            "tcp://127.0.0.1",
            "tls://game.example",
            "http://game.example",
            "wss://",
            "wss://:443",
            "ws://game.example:port",
        ] {
            assert!(url.parse::<Address>().is_err(), "{url}");
        }
    }
}
