//! What a key takes: how it is written, what it must lie between.

mod levels;
mod list;

use std::net::{Ipv4Addr, SocketAddr};

use vocabulary::{GroupName, NodeName};

use crate::{
    layer::Given,
    units::{parse_duration, parse_size, show_duration, show_size},
};

pub(crate) use list::{Item, ItemFault, cmds, network};

/// The type of a key's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A group's name.
    Group,
    /// A machine's name.
    Machine,
    /// An IP address and a port to listen on.
    Address,
    /// An IP address and a port to connect to.
    Peer,
    /// A host that others dial, by name or by IP address, and a port.
    Endpoint,
    /// Where clients connect, with one of these schemes.
    Url(&'static [&'static str]),
    /// The name of a node of this role.
    Node(&'static str),
    /// A file or folder.
    Path,
    /// Several of them.
    List(Item),
    /// Text that no message may show.
    Secret,
    /// Bytes, from the first to the second number.
    Size(u64, u64),
    /// Milliseconds, from the first to the second number.
    Duration(u64, u64),
    /// A whole number, from the first to the second.
    Count(u64, u64),
    /// True or false.
    Switch,
    /// Which log lines are written.
    Levels,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// The longest name of a machine, as the domain name system has it.
const LONGEST_MACHINE: usize = 253;

impl Kind {
    /// The value in its plain form (text, a number of bytes, milliseconds or
    /// pieces, true or false, or a list of texts), or nothing when it is not of this kind.
    pub(crate) fn read(self, given: &Given) -> Option<Given> {
        match self {
            Kind::Size(least, most) => within(size(given)?, least, most),
            Kind::Duration(least, most) => within(parse_duration(text(given)?)?, least, most),
            Kind::Count(least, most) => within(count(given)?, least, most),
            Kind::List(item) => item.read(given),
            Kind::Switch => switch(given),
            _ => {
                let text = text(given)?;
                self.accepts(text).then(|| Given::Text(text.to_owned()))
            }
        }
    }

    /// What is wrong with items of a list, for a value that could not be read;
    /// nothing where the value is at fault as a whole.
    pub(crate) fn item_faults(self, given: &Given) -> Vec<ItemFault> {
        match self {
            Kind::List(item) => item.faults(given),
            _ => Vec::new(),
        }
    }

    fn accepts(self, text: &str) -> bool {
        match self {
            Kind::Group => text.parse::<GroupName>().is_ok(),
            Kind::Machine => is_machine(text),
            Kind::Address => text.parse::<SocketAddr>().is_ok(),
            Kind::Peer => text.parse().is_ok_and(can_be_dialled),
            Kind::Endpoint => is_endpoint(text),
            Kind::Url(schemes) => is_url(text, schemes),
            Kind::Node(role) => text
                .parse::<NodeName>()
                .is_ok_and(|name| name.role() == role),
            Kind::Path => is_path(text),
            Kind::Secret => !text.trim().is_empty(),
            Kind::Levels => levels::are_levels(text),
            Kind::OneOf(words) => words.contains(&text),
            Kind::List(_)
            | Kind::Size(..)
            | Kind::Duration(..)
            | Kind::Count(..)
            | Kind::Switch => false,
        }
    }

    /// What would have been right in the place of `given`: outside of a file
    /// nothing is quoted, and there are no lists.
    pub(crate) fn expects_for(self, given: &Given) -> String {
        match (given, self) {
            (Given::Word(_), Kind::List(item)) => item.expects_outside().to_owned(),
            (Given::Word(_), _) => self
                .expects()
                .replace(" in quotes", "")
                .replace(", without quotes", ""),
            _ => self.expects(),
        }
    }

    /// What would be right in a file, as a message says it.
    pub(crate) fn expects(self) -> String {
        match self {
            Kind::Group => {
                "a name in quotes, of 1 to 64 letters, digits, \"-\" and \"_\"".to_owned()
            }
            Kind::Machine => "a machine's name in quotes, such as \"game-1\"".to_owned(),
            Kind::Address => {
                "an IP address and a port in quotes, such as \"127.0.0.1:10241\"".to_owned()
            }
            Kind::Peer => "an IP address and a port that can be dialled, in quotes, such as \
                           \"10.0.0.1:10241\""
                .to_owned(),
            Kind::Endpoint => "a host and a port that can be dialled, in quotes, such as \
                               \"game-2.example.net:10251\""
                .to_owned(),
            Kind::Url(schemes) => match schemes.contains(&"tcp") {
                true => "a URL with a port in quotes, such as \"tcp://game-2.example.net:10242\" \
                         or \"tls://game-2.example.net:443\""
                    .to_owned(),
                false => "a URL in quotes, such as \"ws://10.0.0.2:10243\" or \
                          \"wss://game-2.example.net/play\""
                    .to_owned(),
            },
            Kind::Node(role) => format!("the name of a {role} in quotes, such as \"{role}@0\""),
            Kind::Path => "a path in quotes".to_owned(),
            Kind::List(item) => item.expects().to_owned(),
            Kind::Secret => "a text in quotes, not empty".to_owned(),
            Kind::Size(least, most) => format!(
                "a size from {} to {}, such as \"{}\"",
                show_size(least),
                show_size(most),
                show_size((64 << 10).clamp(least, most)),
            ),
            Kind::Duration(least, most) => format!(
                "a duration in quotes from {} to {}, such as \"10s\" or \"500ms\"",
                show_duration(least),
                show_duration(most),
            ),
            Kind::Count(least, most) => format!("a whole number from {least} to {most}"),
            Kind::Switch => "true or false, without quotes".to_owned(),
            Kind::Levels => levels::EXPECTED.to_owned(),
            Kind::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("one of {} in quotes", words.join(", "))
            }
        }
    }

    /// Its name in a reference.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Group | Kind::Machine | Kind::Node(_) => "name",
            Kind::Address | Kind::Peer | Kind::Endpoint | Kind::Url(_) => "address",
            Kind::Path => "path",
            Kind::List(Item::Path) => "paths",
            Kind::List(_) => "list",
            Kind::Secret => "text",
            Kind::Size(..) => "size",
            Kind::Duration(..) => "duration",
            Kind::Count(..) => "number",
            Kind::Switch => "switch",
            Kind::Levels => "levels",
            Kind::OneOf(_) => "word",
        }
    }
}

fn text(given: &Given) -> Option<&str> {
    match given {
        Given::Text(text) | Given::Word(text) => Some(text),
        _ => None,
    }
}

fn count(given: &Given) -> Option<u64> {
    match given {
        Given::Number(number) => u64::try_from(*number).ok(),
        // Digits only: `parse` alone would take "+5".
        Given::Word(word) if word.bytes().all(|byte| byte.is_ascii_digit()) => word.parse().ok(),
        _ => None,
    }
}

fn size(given: &Given) -> Option<u64> {
    count(given).or_else(|| parse_size(text(given)?))
}

fn switch(given: &Given) -> Option<Given> {
    match given {
        Given::Boolean(value) => Some(Given::Boolean(*value)),
        Given::Word(word) => word.parse().ok().map(Given::Boolean),
        _ => None,
    }
}

fn is_machine(text: &str) -> bool {
    let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= LONGEST_MACHINE && text.bytes().all(of_a_name)
}

/// "Every address" and port 0 are for those who listen.
pub(crate) fn can_be_dialled(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_unspecified() && address.port() != 0
}

/// Text of digits and dots alone is an IP address, or a mistake in one.
fn is_endpoint(text: &str) -> bool {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return can_be_dialled(address);
    }
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let is_name = host.bytes().any(|byte| byte.is_ascii_alphabetic());
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
        is_name && is_machine(host) && is_port && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

/// A scheme of these, a host, and its port; where the scheme is one of the web, the port
/// may be left out and a path may follow.
fn is_url(text: &str, schemes: &[&str]) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    if !schemes.contains(&scheme) || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        return false;
    }
    let is_web = matches!(scheme, "ws" | "wss");
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (rest, None),
    };
    let is_plain_host = || {
        let is_name = host.bytes().any(|byte| byte.is_ascii_alphabetic()) && is_machine(host);
        is_name
            || host
                .parse::<Ipv4Addr>()
                .is_ok_and(|ip| !ip.is_unspecified())
    };
    (is_web || path.is_none()) && (is_endpoint(host) || is_web && is_plain_host())
}

/// The system ends a path at its first zero byte.
fn is_path(text: &str) -> bool {
    !text.is_empty() && !text.contains('\0')
}

fn within(number: u64, least: u64, most: u64) -> Option<Given> {
    (least..=most)
        .contains(&number)
        .then(|| Given::Number(number.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_read(kind: Kind, given: &Given) -> bool {
        kind.read(given).is_some()
    }

    #[test]
    fn an_endpoint_is_what_can_be_dialled() {
        for right in [
            "10.0.0.2:10251",
            "[2001:db8::2]:10251",
            "game-2:1",
            "game-2.example.net:65535",
        ] {
            assert!(
                is_read(Kind::Endpoint, &Given::Text(right.into())),
                "{right}"
            );
        }
        for wrong in [
            "",
            ":10251",
            "game-2",
            "game-2:",
            "game-2:0",
            "game-2:65536",
            "game-2:+1",
            "game 2:1",
            "http://game-2:1",
            "10.0.0:1",
            "10.0.0.256:1",
            "10.0.0.2:0",
            "0.0.0.0:10251",
            "[::]:10251",
            "[::ffff:0.0.0.0]:10251",
        ] {
            assert!(
                !is_read(Kind::Endpoint, &Given::Text(wrong.into())),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_url_is_where_clients_connect() {
        let tcp = Kind::Url(&["tcp", "tls"]);
        let web = Kind::Url(&["ws", "wss"]);
        let takes = |kind, text: &str| is_read(kind, &Given::Text(text.into()));
        for right in ["tcp://10.0.0.2:10242", "tls://game-2:443", "tcp://[::1]:1"] {
            assert!(takes(tcp, right), "{right}");
            assert!(!takes(web, right), "{right}");
        }
        for right in [
            "ws://10.0.0.2:10243",
            "wss://game-2.example.net",
            "wss://game-2.example.net/play/here?a=b",
        ] {
            assert!(takes(web, right), "{right}");
            assert!(!takes(tcp, right), "{right}");
        }
        for wrong in [
            "",
            "wss://",
            "wss:///play",
            "wss://0.0.0.0/",
            "ws://0.0.0.0:1",
            "wss://a b",
            "game-2:443",
            "tcp://game-2",
            "tcp://game-2:443/path",
        ] {
            assert!(!takes(tcp, wrong) && !takes(web, wrong), "{wrong}");
        }
    }

    #[test]
    fn a_switch_is_a_boolean_in_the_file_and_a_word_outside() {
        assert!(is_read(Kind::Switch, &Given::Boolean(false)));
        assert!(is_read(Kind::Switch, &Given::Word("true".into())));
        for wrong in ["True", "yes", "1", ""] {
            assert!(
                !is_read(Kind::Switch, &Given::Word(wrong.into())),
                "{wrong}"
            );
        }
        assert!(!is_read(Kind::Switch, &Given::Text("true".into())));
        assert!(!is_read(Kind::Switch, &Given::Number(1)));
    }
}
