//! An answer for those who come without TLS.

use tokio::{io::AsyncWriteExt, net::TcpStream};

/// The first byte of an HTTP/2 client: `PRI * HTTP/2.0`. No TLS client begins
/// with it.
const HTTP2: u8 = b'P';

const WORDS: &[u8] = b"this port speaks TLS only: turn TLS on in this node's topology too";

/// Whether the peer's first byte is that of HTTP/2 without TLS. Waits for it,
/// and leaves it where it is.
pub(super) async fn is_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0];
    let length = stream.peek(&mut first).await?;
    Ok(length == 1 && first[0] == HTTP2)
}

/// Says in the peer's own language why it is not served: an empty SETTINGS
/// frame, then GOAWAY with INADEQUATE_SECURITY and the reason.
pub(super) async fn answer(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(&frames()).await
}

fn frames() -> Vec<u8> {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: u8 = 7;
    const INADEQUATE_SECURITY: [u8; 4] = [0, 0, 0, 0xc];

    let mut frames = SETTINGS.to_vec();
    frames.extend_from_slice(&[0, 0, 8 + WORDS.len() as u8, GOAWAY, 0, 0, 0, 0, 0]);
    frames.extend_from_slice(&[0; 4]);
    frames.extend_from_slice(&INADEQUATE_SECURITY);
    frames.extend_from_slice(WORDS);
    frames
}
