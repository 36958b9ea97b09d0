//! The small things that stand in bodies, heads and metadata: errors, refusals,
//! tokens, names.

use prost::Message;
use protocol::{CallError, GroupName, NodeName, Secret, SessionId, token, v1::Refusal};

/// What is read survives being written again, and no token is good but the
/// group's own.
pub fn check(bytes: &[u8]) {
    let error = CallError::decode(bytes);
    assert_eq!(CallError::decode(&error.encode()), error);

    if let Ok(refusal) = Refusal::decode(bytes) {
        let again = Refusal::decode(&refusal.encode_to_vec()[..]);
        assert_eq!(again, Ok(refusal));
    }

    let secret = Secret::new("open sesame");
    let group: GroupName = "GroupA".parse().expect("the literal is a name");
    if let Some(node) = token::verify(&secret, &group, bytes) {
        assert_eq!(token::sign(&secret, &group, node), bytes);
    }

    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(name) = text.parse::<NodeName>() {
        assert_eq!(format!("{}@{}", name.role(), name.index()), text);
    }
    if let Ok(name) = text.parse::<GroupName>() {
        assert_eq!(name.as_str(), text);
    }
    if let Ok(session) = text.parse::<SessionId>() {
        assert_eq!(session.to_string(), text);
    }
}
