//! Which frames of a send queue a newer one may replace.

use std::collections::HashMap;

use bytes::{Buf, Bytes};

/// Where the latest frame of each `cmd` waits, of those that were pushed as such.
/// Nothing is kept for a queue that has never had one.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    places: Option<Box<Places>>,
}

#[derive(Debug, Default)]
struct Places {
    /// By `cmd`, counted from the first frame that ever waited.
    places: HashMap<u16, u64>,
    /// How many have left the queue.
    left: u64,
}

impl Latest {
    /// Where the frame stands that this one replaces, if there is one.
    pub(crate) fn place(&self, frame: &Bytes) -> Option<usize> {
        let places = self.places.as_ref()?;
        let place = places.places.get(&cmd(frame)?)?.checked_sub(places.left)?;
        usize::try_from(place).ok()
    }

    /// A frame is put at this place.
    pub(crate) fn note(&mut self, frame: &Bytes, place: usize) {
        let Some(cmd) = cmd(frame) else { return };
        let places = self.places.get_or_insert_default();
        places.places.insert(cmd, places.left + place as u64);
    }

    /// So many frames have left at the front, and so many wait.
    pub(crate) fn advance(&mut self, left: usize, waiting: usize) {
        let Some(places) = &mut self.places else {
            return;
        };
        if waiting == 0 {
            self.places = None;
            return;
        }
        places.left += left as u64;
        // One for each `cmd` that ever was would be too many.
        if places.places.len() > 2 * waiting {
            let left = places.left;
            places.places.retain(|_, place| *place >= left);
        }
    }
}

/// The `cmd` in the head of an encoded frame.
fn cmd(frame: &Bytes) -> Option<u16> {
    frame.get(4..6).map(|mut cmd| cmd.get_u16_le())
}
