//! A wake-up that an event loop can wait for.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use rustix::event::{EventfdFlags, eventfd};

/// A counter in the kernel that is readable while it is not zero.
#[derive(Debug)]
pub(crate) struct Eventfd(OwnedFd);

impl Eventfd {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Eventfd(eventfd(
            0,
            EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK,
        )?))
    }

    /// Makes it readable.
    pub(crate) fn signal(&self) {
        // Fails only where the counter is at its end, and readable therefore.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Makes it wait for the next signal. Returns whether there has been one.
    pub(crate) fn clear(&self) -> bool {
        rustix::io::read(&self.0, &mut [0; 8]).is_ok()
    }

    /// What to wait for.
    pub(crate) fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
