//! Lists: what an item of one has to be, and what is wrong with those that are not.

use std::{net::IpAddr, ops::RangeInclusive};

use ipnet::IpNet;
use toml::de::{DeTable, DeValue};
use vocabulary::{GroupName, NodeName, is_internal};

use crate::{file, layer::Given};

/// What the items of a list are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Item {
    /// A folder.
    Path,
    /// A group's name, or `*`.
    Group,
    /// A node's name, what stands before its `@`, or `*`.
    Service,
    /// A command of a service, or a range of them: `200-219`.
    Cmds,
    /// A method, or what methods begin with and `*`.
    Method,
    /// A page's origin, as browsers send it.
    Origin,
    /// An address, or a network of them.
    Network,
}

/// An item that is wrong.
#[derive(Debug, PartialEq)]
pub(crate) struct ItemFault {
    /// Which of the list.
    pub(crate) index: usize,
    pub(crate) found: String,
    pub(crate) expected: &'static str,
}

/// What stands for every group, every node, the rest of a method.
const ANY: &str = "*";

/// The longest method that an export may name.
const LONGEST_METHOD: usize = 256;

impl Item {
    /// The list in its plain form, each item a text; or nothing when it is none, or
    /// an item of it is wrong. Out of a file `"*"` alone will do for a list of it.
    pub(crate) fn read(self, given: &Given) -> Option<Given> {
        let items = self.items(given)?;
        let read = items
            .iter()
            .map(|item| self.read_one(item).map(Given::Text));
        read.collect::<Option<Vec<_>>>().map(Given::List)
    }

    /// What is wrong with items of what is a list.
    pub(crate) fn faults(self, given: &Given) -> Vec<ItemFault> {
        let items = self.items(given).unwrap_or_default();
        let wrong = items
            .iter()
            .enumerate()
            .filter(|(_, item)| self.read_one(item).is_none());
        let fault = |(index, item): (usize, &Given)| {
            let found = item.describe();
            let (found, expected) = match text(item).filter(|_| self == Item::Method) {
                Some(method) if is_internal(method) => (
                    format!("{found}, by which daemons speak to each other"),
                    "a method of a service's own, such as \"echo\" or \"stat.*\"",
                ),
                _ => (found, self.expects_one()),
            };
            ItemFault {
                index,
                found,
                expected,
            }
        };
        wrong.map(fault).collect()
    }

    /// What would be right in a file.
    pub(crate) fn expects(self) -> &'static str {
        match self {
            Item::Path => "a list of paths, such as [\"lib\", \"/srv/game/lib\"]",
            Item::Group => {
                "a list of groups, such as [\"GroupA\", \"GroupB\"], or [\"*\"] for every group"
            }
            Item::Service => {
                "a list of nodes, such as [\"scene@1\"], of what stands before their @, such as \
                 [\"scene\"], or [\"*\"] for every node"
            }
            Item::Cmds => {
                "a list of numbers from 0 to 65535 and of ranges, such as [200, \"210-219\"]"
            }
            Item::Method => "a list of methods, such as [\"echo\", \"stat.*\"]",
            Item::Origin => "a list of origins, such as [\"https://game.example.net\"]",
            Item::Network => {
                "a list of IP addresses and networks, such as [\"10.0.0.5\", \"10.1.0.0/16\"]"
            }
        }
    }

    /// What would be right outside of a file.
    pub(crate) fn expects_outside(self) -> &'static str {
        match self {
            Item::Path => "paths with \":\" between them",
            Item::Group => "groups with \",\" between them, or *",
            Item::Service => "nodes, or what stands before their @, with \",\" between them, or *",
            Item::Cmds => {
                "numbers from 0 to 65535 and ranges, with \",\" between them: 200,210-219"
            }
            Item::Method => "methods with \",\" between them: echo,stat.*",
            Item::Origin => "origins with \",\" between them",
            Item::Network => "IP addresses and networks with \",\" between them",
        }
    }

    fn expects_one(self) -> &'static str {
        match self {
            Item::Path => "a path in quotes",
            Item::Group => "a group's name, such as \"GroupA\", or \"*\" for every group",
            Item::Service => {
                "a node's name, such as \"scene@1\", what stands before the @ for all that are \
                 called so, or \"*\" for every node"
            }
            Item::Cmds => "a number from 0 to 65535, or a range in quotes, such as \"210-219\"",
            Item::Method => {
                "a method, such as \"echo\"; with * at its end, and nowhere else, for all that \
                 begin so"
            }
            Item::Origin => {
                "an origin as browsers send it, such as \"https://game.example.net\" or \
                 \"http://127.0.0.1:8000\": in small letters, with nothing behind it"
            }
            Item::Network => "an IP address, such as \"10.0.0.5\", or a network, \"10.1.0.0/16\"",
        }
    }

    /// What the list consists of: in a file, a list; outside of it the same, or words
    /// with a separator.
    fn items(self, given: &Given) -> Option<Vec<Given>> {
        let items = match given {
            Given::List(items) => items.clone(),
            Given::Text(text) if text == ANY && self.knows_any() => vec![given.clone()],
            Given::Word(word) if self == Item::Path && word.starts_with('[') => return None,
            Given::Word(word) if word.starts_with('[') => list(word)?,
            Given::Word(word) if self == Item::Path => words(word, ':'),
            Given::Word(word) => words(word, ','),
            _ => return None,
        };
        // Paths and what may be called can be none; who may, and where, cannot.
        let may_be_empty = !matches!(self, Item::Group | Item::Service);
        (may_be_empty || !items.is_empty()).then_some(items)
    }

    fn knows_any(self) -> bool {
        matches!(self, Item::Group | Item::Service | Item::Method)
    }

    fn read_one(self, given: &Given) -> Option<String> {
        if self == Item::Cmds {
            return read_cmds(given);
        }
        let text = text(given)?;
        let right = match self {
            Item::Path => super::is_path(text),
            Item::Group => text == ANY || text.parse::<GroupName>().is_ok(),
            // Roles are made of what the names of groups are made of.
            Item::Service => {
                let is_role = || text.parse::<GroupName>().is_ok();
                text == ANY || text.parse::<NodeName>().is_ok() || is_role()
            }
            Item::Cmds => false,
            Item::Method => is_method(text),
            Item::Origin => is_origin(text),
            Item::Network => network(text).is_some(),
        };
        right.then(|| text.to_owned())
    }
}

/// The commands that an item of a list in its plain form stands for.
pub(crate) fn cmds(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some(first..=last)
}

/// A range in its plain form: `200-200` for one number.
fn read_cmds(given: &Given) -> Option<String> {
    let one = |number: u16| format!("{number}-{number}");
    match given {
        Given::Number(number) => u16::try_from(*number).ok().map(one),
        Given::Word(word) if !word.contains('-') => number(word).map(one),
        Given::Text(text) | Given::Word(text) => cmds(text).map(|_| text.clone()),
        _ => None,
    }
}

/// Digits only: `parse` alone would take "+5".
fn number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// A method of services, or what such begin with and `*`.
fn is_method(text: &str) -> bool {
    let name = text.strip_suffix(ANY).unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'*';
    let fits = !text.is_empty() && text.len() <= LONGEST_METHOD;
    fits && name.bytes().all(plain) && !is_internal(name)
}

/// A scheme and a host of the web, and the port where it is not the scheme's own.
fn is_origin(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte);
    text.split_once("://").is_some_and(|(scheme, host)| {
        matches!(scheme, "http" | "https") && !host.is_empty() && host.bytes().all(plain)
    })
}

/// The network that an item of a list stands for; an address is one of its own.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn text(given: &Given) -> Option<&str> {
    match given {
        Given::Text(text) | Given::Word(text) => Some(text),
        _ => None,
    }
}

fn words(text: &str, separator: char) -> Vec<Given> {
    let words = text.split(separator).map(str::trim);
    words.map(|word| Given::Word(word.to_owned())).collect()
}

/// A list as a file has it.
fn list(text: &str) -> Option<Vec<Given>> {
    let text = format!("list = {text}");
    let parsed = DeTable::parse(&text).ok()?;
    let mut values = parsed.get_ref().iter();
    match (values.next(), values.next()) {
        (Some((_, value)), None) if matches!(value.get_ref(), DeValue::Array(_)) => {
            match file::given(value.get_ref()) {
                Given::List(items) => Some(items),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(item: Item, text: &str) -> Option<Vec<String>> {
        match item.read(&Given::Word(text.to_owned()))? {
            Given::List(items) => items
                .iter()
                .map(|item| self::text(item).map(str::to_owned))
                .collect(),
            _ => None,
        }
    }

    fn faulty(item: Item, text: &str) -> Vec<usize> {
        let faults = item.faults(&Given::Word(text.to_owned()));
        faults.iter().map(|fault| fault.index).collect()
    }

    #[test]
    fn outside_of_a_file_a_list_is_words_or_what_it_is_in_a_file() {
        let both = ["GroupA,GroupB", "GroupA, GroupB", "[\"GroupA\", 'GroupB']"];
        for text in both {
            assert_eq!(
                read(Item::Group, text).unwrap(),
                ["GroupA", "GroupB"],
                "{text}"
            );
        }
        assert_eq!(
            read(Item::Cmds, "200,210-219").unwrap(),
            ["200-200", "210-219"]
        );
        assert_eq!(
            read(Item::Cmds, "[200, '210-219']").unwrap(),
            ["200-200", "210-219"]
        );
        assert_eq!(
            read(Item::Path, "lib:/srv/lib").unwrap(),
            ["lib", "/srv/lib"]
        );
        for wrong in ["[", "[]x", "[1]\ny = 2", "[\"GroupA\"", ""] {
            assert_eq!(read(Item::Group, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn commands_are_numbers_of_sixteen_bits_and_rising_ranges() {
        assert_eq!(read(Item::Cmds, "0,65535,0-65535").unwrap().len(), 3);
        let wrong = "[-1, 65536, '219-200', '1-', '-1', 'a-b', '200', 1.5, '1-2-3', '+1-2']";
        assert_eq!(faulty(Item::Cmds, wrong), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn what_only_daemons_say_to_each_other_is_no_method_of_a_service() {
        assert!(read(Item::Method, "echo,stat.*,*,session*,service.200").is_some());
        let internal = "session.verify,session.*,node.dr*,bridge.nodes,gate.";
        assert_eq!(faulty(Item::Method, internal), [0, 1, 2, 3, 4]);
        assert_eq!(
            faulty(Item::Method, "['', 'a b', 'st*t', '**', 'é']"),
            [0, 1, 2, 3, 4]
        );
    }

    #[test]
    fn origins_are_what_browsers_send_and_networks_may_be_one_address() {
        assert!(read(Item::Origin, "https://a.example.net,http://[::1]:8000").is_some());
        let wrong = "['', 'https://', 'a.example.net', 'https://a/', 'HTTPS://a', 'https://A']";
        assert_eq!(faulty(Item::Origin, wrong), [0, 1, 2, 3, 4, 5]);
        assert!(read(Item::Network, "10.0.0.5,10.1.0.0/16,::1,2001:db8::/32").is_some());
        let wrong = "['', '10.0.0', '10.0.0.0/33', 'game-2', '10.0.0.5:80']";
        assert_eq!(faulty(Item::Network, wrong), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn services_are_nodes_roles_or_all() {
        assert!(read(Item::Service, "scene@1,scene,echo@0,*").is_some());
        assert_eq!(
            faulty(Item::Service, "scene@,scene@01,sc ene,scene@*"),
            [0, 1, 2, 3]
        );
        assert_eq!(read(Item::Service, "[]"), None);
    }
}
