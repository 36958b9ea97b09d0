//! What clients do.

use protocol::{NodeId, v1::CloseReason};

use super::World;
use crate::rest::{Client, ClientState};

impl World {
    pub(crate) fn connect(&mut self, gate: NodeId, session: &str) {
        let client = self.rest.clients.len();
        self.rest
            .say(|| format!("client {client}, {session}, connects to {gate}"));
        let session: protocol::SessionId = session.parse().unwrap();
        self.rest.clients.push(Client {
            session: session.clone(),
            gate,
            state: ClientState::Verifying,
            sent: 0,
        });
        if let Some(gate) = self.gates.get_mut(&gate) {
            gate.connect(client, session, &mut self.rest);
        }
    }

    pub(crate) fn client_sends(&mut self, client: usize) {
        let one = &mut self.rest.clients[client];
        if let ClientState::Active(login) = one.state
            && let Some(gate) = self.gates.get_mut(&one.gate)
        {
            let number = one.sent;
            one.sent += 1;
            gate.client_sends(login, number, &mut self.rest);
        }
    }

    pub(crate) fn client_closes(&mut self, client: usize) {
        self.rest.say(|| format!("client {client} closes"));
        let one = &self.rest.clients[client];
        let (gate, state) = (one.gate, one.state);
        match state {
            ClientState::Verifying => self.rest.close(client, CloseReason::ClientClosed),
            ClientState::Active(login) => {
                if let Some(gate) = self.gates.get_mut(&gate) {
                    gate.end_client(login, CloseReason::ClientClosed, &mut self.rest);
                }
            }
            ClientState::Closed(_) => {}
        }
    }
}
