//! The numbers of logins: rising, and no two owners' the same.

use protocol::Login;

/// An owner is told by these bits of its numbers.
const OWNER_BITS: u32 = 8;
const OWNER_MASK: u64 = (1 << OWNER_BITS) - 1;
/// Whatever is higher than this was made up by whoever reported it: from a clock
/// in microseconds it is a thousand years away.
const HIGHEST: u64 = u64::MAX >> 1;

#[derive(Debug)]
pub(super) struct Numbers {
    owner: u64,
    /// The highest that is known, without the owner's bits.
    last: u64,
}

impl Numbers {
    pub(super) fn above(first: Login) -> Self {
        Numbers {
            owner: first.0 & OWNER_MASK,
            last: first.0.min(HIGHEST) >> OWNER_BITS,
        }
    }

    /// Somebody has given this number.
    pub(super) fn heard(&mut self, login: Login) {
        if login.0 <= HIGHEST {
            self.last = self.last.max(login.0 >> OWNER_BITS);
        }
    }

    pub(super) fn next(&mut self) -> Login {
        self.last += 1;
        Login((self.last << OWNER_BITS) | self.owner)
    }
}
