//! Writing without waiting: what a socket takes at once.

use std::io::{self, IoSlice};

use tokio::net::tcp::OwnedWriteHalf;

use crate::outbound::Batch;

/// As many frames go into one write.
const WRITE_FRAMES: usize = 64;

/// Something that takes bytes at once, or says that it would have to wait.
pub(crate) trait Direct {
    /// Writes some of the bytes, without waiting.
    fn try_write(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize>;
}

impl Direct for OwnedWriteHalf {
    fn try_write(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(bytes)
    }
}

/// Writes as much of a batch as goes at once. What is not written is still in it
/// afterwards, whatever this returns.
pub(crate) fn write_now(socket: &mut impl Direct, batch: &mut Batch) -> io::Result<()> {
    while !batch.is_written() {
        let mut slices = [IoSlice::new(&[]); WRITE_FRAMES];
        let filled = batch.chunks(&mut slices);
        let written = socket.try_write(&slices[..filled])?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        batch.advance(written);
    }
    Ok(())
}
