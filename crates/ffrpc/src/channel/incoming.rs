//! What arrives from the other node of a pair.

/// What to do with an envelope that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is the next one: deliver it.
    Next,
    /// It has been delivered already.
    Seen,
    /// Something before it is missing; it will come again behind that.
    Early,
}

/// The receiving half of a pair.
#[derive(Debug, Default)]
pub struct Incoming {
    /// The number of the last envelope that was delivered.
    delivered: u64,
    /// What the source was told last, if that has reached it.
    told: u64,
    /// Something came again of which the source had been told, or should have
    /// been.
    unheard: bool,
    /// What has been delivered or seen since the source was last told.
    owed: Owed,
}

#[derive(Debug, Default)]
struct Owed {
    envelopes: u32,
    bytes: usize,
    /// It was owed at the last tick already.
    due: bool,
}

/// An acknowledgement goes at once when so much is owed: the source keeps all of
/// it, and may have no room for more.
const AT_ONCE: (u32, usize) = (256, 256 << 10);

impl Incoming {
    /// Judges the envelope of this number and size. One without a number is
    /// taken as it comes.
    pub fn arrived(&mut self, sequence: u64, bytes: usize) -> Arrival {
        let arrival = match sequence {
            0 => return Arrival::Next,
            next if next == self.delivered + 1 => {
                self.delivered = next;
                Arrival::Next
            }
            seen if seen <= self.delivered => {
                self.unheard |= seen <= self.told || self.owed.due;
                Arrival::Seen
            }
            _ => return Arrival::Early,
        };
        // What was seen before is owed too: an acknowledgement has been lost.
        self.owed.envelopes = self.owed.envelopes.saturating_add(1);
        self.owed.bytes = self.owed.bytes.saturating_add(bytes);
        arrival
    }

    /// The number to put into `acknowledged` of an envelope that goes back.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// An envelope with that number has gone back.
    pub fn told(&mut self) {
        self.told = self.delivered;
        self.owed = Owed::default();
    }

    /// Whether an acknowledgement has to go by itself, without waiting for a
    /// tick.
    pub fn is_urgent(&self) -> bool {
        self.owed.envelopes >= AT_ONCE.0 || self.owed.bytes >= AT_ONCE.1
    }

    /// Whether an acknowledgement has to go by itself now: it has been owed for
    /// a whole tick, and nothing went back that could have carried it.
    pub fn tick(&mut self) -> bool {
        self.owed.envelopes > 0 && std::mem::replace(&mut self.owed.due, true)
    }

    /// Whether the source perhaps does not hear what it is told: it has sent
    /// again what had been acknowledged. Asking clears it.
    ///
    /// An acknowledgement that goes by itself has no number, and where it is
    /// lost for good nobody says so: not the broker, which drops it, and not
    /// this node, which waits for nothing.
    pub fn take_unheard(&mut self) -> bool {
        std::mem::take(&mut self.unheard)
    }

    /// Whether the source is owed an acknowledgement, or more than that.
    pub fn is_owed(&self) -> bool {
        self.owed.envelopes > 0 || self.unheard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_in_turn_and_once() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.arrived(2, 10), Arrival::Early);
        assert!(!incoming.is_owed());
        assert_eq!(incoming.arrived(1, 10), Arrival::Next);
        assert_eq!(incoming.arrived(1, 10), Arrival::Seen);
        assert_eq!(incoming.arrived(2, 10), Arrival::Next);
        assert_eq!(incoming.arrived(0, 10), Arrival::Next);
        assert_eq!(incoming.delivered(), 2);
        incoming.told();
        assert!(!incoming.is_owed());
    }

    #[test]
    fn what_comes_again_in_spite_of_an_acknowledgement_raises_doubt() {
        let mut incoming = Incoming::default();
        incoming.arrived(1, 10);
        // The source cannot know yet.
        incoming.arrived(1, 10);
        assert!(!incoming.take_unheard());
        incoming.told();
        incoming.arrived(1, 10);
        incoming.told();
        assert!(incoming.is_owed());
        assert!(incoming.take_unheard());
        assert!(!incoming.is_owed());
    }

    #[test]
    fn an_acknowledgement_that_finds_no_way_raises_doubt() {
        let mut incoming = Incoming::default();
        incoming.arrived(1, 10);
        incoming.tick();
        assert!(incoming.tick());
        // Nothing took it.
        incoming.arrived(1, 10);
        assert!(incoming.take_unheard());
    }

    #[test]
    fn an_acknowledgement_waits_for_one_tick_unless_much_is_owed() {
        let mut incoming = Incoming::default();
        assert!(!incoming.tick());
        incoming.arrived(1, 10);
        assert!(!incoming.tick());
        assert!(incoming.tick());
        incoming.told();
        incoming.arrived(2, 300 << 10);
        assert!(incoming.is_urgent());
    }
}
