//! The header of the PROXY protocol, version 2, with which load balancers say who the client
//! of a connection is. <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::{io, net::IpAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What it begins with: no protocol of the world does by chance.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const HEAD_BYTES: usize = 16;
/// What follows the head: addresses, and notes of the load balancer's that nobody here
/// reads. Some add a client's certificate.
const MOST_BYTES: usize = 4096;

/// Why there is no client to be known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error("the connection ended: {0}")]
    Socket(#[from] io::Error),
    #[error("the connection does not begin with a PROXY header of version 2")]
    NoHeader,
    #[error("a PROXY header with {0} bytes, and at most {MOST_BYTES} are taken")]
    TooLarge(usize),
    #[error("a PROXY header of a kind that does not exist: {0:#04x}")]
    Unknown(u8),
    #[error("a PROXY header that is too short for its addresses")]
    TooShort,
}

/// Reads the header and not a byte more: who the client is, or nothing where the load
/// balancer speaks for itself.
pub(crate) async fn read(
    socket: &mut (impl AsyncRead + Unpin),
) -> Result<Option<IpAddr>, ProxyError> {
    let mut head = [0; HEAD_BYTES];
    socket.read_exact(&mut head).await?;
    let [signature @ .., command, family, high, low] = &head;
    if signature != SIGNATURE {
        return Err(ProxyError::NoHeader);
    }
    let bytes = usize::from(u16::from_be_bytes([*high, *low]));
    if bytes > MOST_BYTES {
        return Err(ProxyError::TooLarge(bytes));
    }
    let mut rest = vec![0; bytes];
    socket.read_exact(&mut rest).await?;
    match command {
        0x20 => Ok(None),
        0x21 => source(*family, &rest),
        other => Err(ProxyError::Unknown(*other)),
    }
}

/// Where the connection comes from, if from an address at all.
fn source(family: u8, addresses: &[u8]) -> Result<Option<IpAddr>, ProxyError> {
    // Of either kind: the client's address, ours, and both ports.
    let of = |bytes: usize| addresses.get(..bytes).ok_or(ProxyError::TooShort);
    match family >> 4 {
        1 => {
            let ip: [u8; 4] = of(12)?[..4].try_into().unwrap_or_default();
            Ok(Some(ip.into()))
        }
        2 => {
            let ip: [u8; 16] = of(36)?[..16].try_into().unwrap_or_default();
            Ok(Some(ip.into()))
        }
        // Not said, or a socket of one machine.
        0 | 3 => Ok(None),
        _ => Err(ProxyError::Unknown(family)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    /// What is read of these bytes, and what is left.
    async fn read_all(mut bytes: &[u8]) -> (Result<Option<IpAddr>, ProxyError>, usize) {
        let outcome = read(&mut bytes).await;
        (outcome, bytes.len())
    }

    #[tokio::test]
    async fn client_of_either_family_is_known_and_what_follows_is_left_alone() {
        let v4 = [&[192, 0, 2, 7, 10, 0, 0, 1, 4, 5, 6, 7][..], b"notes"].concat();
        let bytes = [header(0x21, 0x11, &v4), b"first frame".to_vec()].concat();
        let (client, left) = read_all(&bytes).await;
        assert_eq!(client.unwrap(), Some("192.0.2.7".parse().unwrap()));
        assert_eq!(left, 11);
        let mut v6 = [0; 36];
        v6[..2].copy_from_slice(&[0x20, 0x01]);
        v6[15] = 7;
        let (client, _) = read_all(&header(0x21, 0x21, &v6)).await;
        assert_eq!(client.unwrap(), Some("2001::7".parse().unwrap()));
    }

    #[tokio::test]
    async fn load_balancer_that_speaks_for_itself_brings_nobody() {
        for (command, family) in [(0x20, 0), (0x20, 0x11), (0x21, 0), (0x21, 0x31)] {
            let (client, _) = read_all(&header(command, family, b"")).await;
            assert_eq!(client.unwrap(), None, "{command:#x} {family:#x}");
        }
    }

    #[tokio::test]
    async fn everything_else_is_refused_in_words() {
        let refused = async |bytes: &[u8]| read_all(bytes).await.0.unwrap_err().to_string();
        let version_1 = b"PROXY TCP4 192.0.2.7 10.0.0.1 4 5\r\n";
        assert!(refused(version_1).await.contains("version 2"));
        assert!(refused(b"\r\n").await.contains("ended"));
        assert!(
            refused(&header(0x21, 0x11, b"short"))
                .await
                .contains("too short")
        );
        assert!(refused(&header(0x22, 0x11, b"")).await.contains("0x22"));
        assert!(refused(&header(0x21, 0x51, b"")).await.contains("0x51"));
        let large = header(0x21, 0x11, &[0; MOST_BYTES + 1]);
        assert!(refused(&large).await.contains("4097"));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(
            command in any::<u8>(),
            family in any::<u8>(),
            rest in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _ = runtime.block_on(read_all(&header(command, family, &rest)));
            let _ = runtime.block_on(read_all(&rest));
        }
    }
}
