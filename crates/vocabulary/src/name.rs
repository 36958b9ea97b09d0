//! Names: of nodes, of groups, of sessions.
//!
//! Each is checked once, when it is made, and cheap to clone afterwards.

use std::{fmt, str::FromStr, sync::Arc};

/// A node's name, `role@index`: `scene@0`, `gate@12`. The role is made of
/// letters, digits, `-` and `_`, the index is a number below 2^32 written
/// without leading zeros. At most 64 bytes in all.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NodeName {
    text: Arc<str>,
    at: usize,
    index: u32,
}

/// The name of a group: 1 to 64 letters, digits, `-` and `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(Arc<str>);

/// The name of a session: 1 to 128 bytes of text, chosen by the script that
/// verified it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Arc<str>);

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a [`NodeName`].
    #[error(
        "`{0}` is not a node's name: expected role@index, such as scene@0, \
         of letters, digits, `-` and `_`, at most {LONGEST} bytes"
    )]
    Node(String),
    /// Not a [`GroupName`].
    #[error("`{0}` is not a group's name: expected 1 to {LONGEST} letters, digits, `-` and `_`")]
    Group(String),
    /// Not a [`SessionId`].
    #[error("a session id is 1 to {LONGEST_SESSION} bytes of text, this one has {0}")]
    Session(usize),
}

const LONGEST: usize = 64;
const LONGEST_SESSION: usize = 128;

impl NodeName {
    /// What stands before the `@`.
    pub fn role(&self) -> &str {
        &self.text[..self.at]
    }

    /// What stands behind the `@`.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for NodeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError::Node(excerpt(text));
        let (role, digits) = text.split_once('@').ok_or_else(wrong)?;
        let index: u32 = digits.parse().map_err(|_| wrong())?;
        // `parse` takes "+1" and "01"; a name is written in one way only.
        if !is_word(role) || text.len() > LONGEST || index.to_string() != digits {
            return Err(wrong());
        }
        Ok(NodeName {
            at: role.len(),
            text: text.into(),
            index,
        })
    }
}

/// By role, then by number: `gate@9` stands before `gate@10`.
impl Ord for NodeName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.role(), self.index).cmp(&(other.role(), other.index))
    }
}

impl PartialOrd for NodeName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for GroupName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_word(text) && text.len() <= LONGEST {
            Ok(GroupName(text.into()))
        } else {
            Err(NameError::Group(excerpt(text)))
        }
    }
}

impl GroupName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.len() {
            1..=LONGEST_SESSION => Ok(SessionId(text.into())),
            length => Err(NameError::Session(length)),
        }
    }
}

impl SessionId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One or more of the bytes that names are made of.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// As much of a wrong name as an error message should repeat.
fn excerpt(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

macro_rules! text_conversions {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }
    )*};
}

text_conversions!(NodeName, GroupName, SessionId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_name_has_a_role_and_an_index() {
        let name: NodeName = "game-gate_2@17".parse().unwrap();
        assert_eq!((name.role(), name.index()), ("game-gate_2", 17));
        assert_eq!(name.to_string(), "game-gate_2@17");
    }

    #[test]
    fn what_is_not_role_at_index_is_refused() {
        let long = format!("{}@0", "a".repeat(64));
        for wrong in [
            "",
            "scene",
            "@0",
            "scene@",
            "scene@x",
            "scene@-1",
            "scene@+1",
            "scene@01",
            "sc ene@0",
            "scene@0@1",
            "scéne@0",
            "scene@4294967296",
            &long,
        ] {
            assert!(wrong.parse::<NodeName>().is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn names_of_a_role_stand_in_the_order_of_their_numbers() {
        let mut names: Vec<NodeName> = ["scene@1", "gate@10", "gate@9"]
            .map(|name| name.parse().unwrap())
            .into();
        names.sort();
        assert_eq!(format!("{names:?}"), r#"["gate@9", "gate@10", "scene@1"]"#);
    }

    #[test]
    fn a_session_id_has_1_to_128_bytes() {
        assert!("玩家一".parse::<SessionId>().is_ok());
        assert!("x".repeat(128).parse::<SessionId>().is_ok());
        assert_eq!("".parse::<SessionId>(), Err(NameError::Session(0)));
        assert_eq!(
            "x".repeat(129).parse::<SessionId>(),
            Err(NameError::Session(129))
        );
    }
}
