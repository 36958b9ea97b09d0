//! The token that opens a node's links.
//!
//! The master signs it when it welcomes the node; any broker of the group can
//! check it, since all of them read the group's secret in the topology. Whoever
//! else knows the secret could sign one too, and whoever has seen a token can
//! show it: it keeps strangers from links, not the members of a group from each
//! other's. Where the group has TLS, a broker demands besides it the certificate
//! of the node that the directory has under this NodeId.
//!
//! It says only *this NodeId was given*: whether the node still lives, the
//! directory knows. A NodeId is never given twice, so a token needs no end.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{GroupName, NodeId, Secret};

/// The request metadata that carries the token when a link is opened.
pub const METADATA: &str = "redrabbit-token-bin";

/// A token: 8 bytes of id, 32 bytes of signature.
const BYTES: usize = 40;

/// The token of `node` in `group`.
pub fn sign(secret: &Secret, group: &GroupName, node: NodeId) -> Vec<u8> {
    let id = node.as_u64().to_le_bytes();
    let mut token = id.to_vec();
    token.extend_from_slice(&mac(secret, group, id).finalize().into_bytes());
    token
}

/// Whose token it is, if the group's master signed it.
pub fn verify(secret: &Secret, group: &GroupName, token: &[u8]) -> Option<NodeId> {
    let (id, signature) = token.split_first_chunk::<8>()?;
    if token.len() != BYTES {
        return None;
    }
    // `verify_slice` compares in constant time.
    mac(secret, group, *id).verify_slice(signature).ok()?;
    Some(NodeId::from_u64(u64::from_le_bytes(*id)))
}

fn mac(secret: &Secret, group: &GroupName, id: [u8; 8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("HMAC takes keys of any length")
        .chain_update(b"redrabbit link\0")
        .chain_update(group.as_str().as_bytes())
        .chain_update(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_groups_own_token_names_a_node() {
        let secret = Secret::new("open sesame");
        let group: GroupName = "GroupA".parse().unwrap();
        let node = NodeId::new(3, 7);
        let token = sign(&secret, &group, node);
        assert_eq!(verify(&secret, &group, &token), Some(node));

        assert_eq!(verify(&Secret::new("guess"), &group, &token), None);
        assert_eq!(verify(&secret, &"GroupB".parse().unwrap(), &token), None);
        assert_eq!(verify(&secret, &group, &token[..39]), None);
        assert_eq!(verify(&secret, &group, b""), None);
        for at in 0..token.len() {
            let mut forged = token.clone();
            forged[at] ^= 1;
            assert_eq!(verify(&secret, &group, &forged), None, "byte {at}");
        }
    }
}
