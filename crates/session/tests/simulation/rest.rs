//! What is outside of the nodes: clients, ways, chance, and the record.

use protocol::{Login, SessionId, v1::CloseReason};

use crate::{messages::Channels, random::Random, record::Record};

#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) random: Random,
    pub(crate) channels: Channels,
    pub(crate) clients: Vec<Client>,
    pub(crate) record: Record,
    /// Nothing happens by chance any more.
    pub(crate) calm: bool,
    pub(crate) verbose: bool,
    tickets: u64,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) session: SessionId,
    pub(crate) gate: protocol::NodeId,
    pub(crate) state: ClientState,
    /// How many frames it has sent.
    pub(crate) sent: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientState {
    Verifying,
    Active(Login),
    Closed(CloseReason),
}

impl Rest {
    pub(crate) fn new(seed: u64, verbose: bool) -> Self {
        Rest {
            random: Random::new(seed),
            channels: Channels::default(),
            clients: Vec::new(),
            record: Record::default(),
            calm: false,
            verbose,
            tickets: 0,
        }
    }

    pub(crate) fn next_ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    pub(crate) fn close(&mut self, client: usize, reason: CloseReason) {
        let state = &mut self.clients[client].state;
        if !matches!(state, ClientState::Closed(_)) {
            *state = ClientState::Closed(reason);
        }
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        !self.calm && self.random.percent(percent)
    }

    pub(crate) fn say(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            eprintln!("{}", what());
        }
    }
}
