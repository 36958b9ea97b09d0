//! Actions of the script become messages to gates.

use std::sync::Arc;

use bytes::Bytes;
use ffrpc::Node;
use metrics::counter;
use prost::Message;
use protocol::{CallError, ErrorKind, Login, NodeId, method, v1};
use tracing::{debug, warn};

use super::calls::{begin_call, begin_find};
use crate::{
    Action, Audience, Finished, Inbox, Left, Outbox, Parcel,
    network::delivery::{encode, encode_for_channel},
    network::peers::Peers,
};

/// Does what the script asks, in its order, until the script has ended.
pub(crate) async fn perform_actions(
    node: Node,
    peers: Arc<Peers>,
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox>,
) {
    let mut knowledge = Knowledge::default();
    while let Some(actions) = outbox.take().await {
        for action in actions {
            if knowledge.covers(&action, peers.losses()) {
                perform(&node, &peers, &inbox, action);
            } else {
                outbox.lose("group_lost");
            }
        }
    }
}

/// How often the script's thread knew that the group was lost, when it asked for
/// what is performed now.
#[derive(Debug, Default)]
struct Knowledge {
    losses: u64,
}

impl Knowledge {
    /// Whether an action means what it says. What the scene has told of holdings
    /// before it knew that they are lost, gates would take for said of the next
    /// ones: they know the scene as another node already.
    fn covers(&mut self, action: &Action, losses: u64) -> bool {
        match action {
            Action::GroupLost => {
                self.losses += 1;
                true
            }
            Action::Finished(_) | Action::Left(_) => self.losses >= losses,
            _ => true,
        }
    }
}

fn perform(node: &Node, peers: &Arc<Peers>, inbox: &Arc<Inbox>, action: Action) {
    match action {
        Action::Send {
            gate,
            login,
            parcel,
        } => deliver(node, gate, encode(&[login], &parcel)),
        Action::Deliver {
            gate,
            logins,
            parcel,
        } => deliver(node, gate, encode(&logins, &parcel)),
        Action::Broadcast { audience, parcel } => broadcast(node, peers, &audience, &parcel),
        Action::Finished(Finished {
            gate,
            logins,
            frames,
        }) => {
            let logins = numbers(logins);
            let message = v1::Finished { logins, frames };
            control(node, gate, method::SESSION_FINISHED, &message);
        }
        Action::Left(Left {
            gate,
            login,
            holding,
            offline,
            extra_data,
        }) => {
            let how = if offline { "offline" } else { "leave" };
            counter!("redrabbit_scene_left_total", "how" => how).increment(1);
            let message = v1::Left {
                login: login.0,
                holding,
                offline,
                extra_data,
            };
            control(node, gate, method::SESSION_LEFT, &message);
        }
        Action::Membership {
            gate,
            login,
            channel,
            leaves,
        } => {
            let message = v1::Membership {
                login: login.0,
                channel,
                leaves,
            };
            control(node, gate, method::GATE_CHANNEL, &message);
        }
        Action::Change {
            gate,
            login,
            holding,
            to_scene,
            extra_data,
        } => {
            let message = v1::ChangeScene {
                login: login.0,
                holding,
                to_scene,
                extra_data,
            };
            control(node, gate, method::GATE_CHANGE, &message);
        }
        Action::Close {
            gate,
            login,
            reason,
        } => {
            let message = v1::Close {
                login: login.0,
                reason: reason.into(),
            };
            control(node, gate, method::GATE_CLOSE, &message);
        }
        Action::Call(call) => begin_call(node, inbox, call),
        Action::Find { wanted, asked } => begin_find(node, peers, inbox, wanted, asked),
        Action::GroupLost => {}
    }
}

fn numbers(logins: Vec<Login>) -> Vec<u64> {
    logins.into_iter().map(|login| login.0).collect()
}

fn broadcast(node: &Node, peers: &Peers, audience: &Audience, parcel: &Parcel) {
    match audience {
        Audience::Gate(gate) => deliver(node, *gate, encode(&[], parcel)),
        Audience::Group => to_gates(node, peers, &encode(&[], parcel)),
        Audience::Channel(channel) => {
            to_gates(node, peers, &encode_for_channel(channel, parcel));
        }
    }
}

fn to_gates(node: &Node, peers: &Peers, body: &Bytes) {
    for gate in peers.gates() {
        deliver(node, gate, body.clone());
    }
}

fn deliver(node: &Node, gate: NodeId, body: Bytes) {
    note(gate, node.notify(gate, method::GATE_DELIVER, body));
}

fn control(node: &Node, gate: NodeId, method: &'static str, message: &impl Message) {
    note(gate, node.control_message(gate, method, message));
}

/// Counts what was not sent. A gate that is gone is said by its own event.
fn note(gate: NodeId, sent: Result<(), CallError>) {
    if let Err(error) = sent {
        counter!("redrabbit_messages_dropped_total", "reason" => error.kind.as_str()).increment(1);
        match error.kind {
            // Scripts are refused what is too long: this message is the scene's own.
            ErrorKind::TooLarge => warn!(peer_id = %gate, %error, "message to a gate dropped"),
            _ => debug!(peer_id = %gate, %error, "message to a gate dropped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_finished_before_a_loss_is_not_said_after_it() {
        let finished = Action::Finished(Finished {
            gate: NodeId::new(1, 1),
            logins: vec![Login(1)],
            frames: vec![1],
        });
        let close = Action::Close {
            gate: NodeId::new(1, 1),
            login: Login(1),
            reason: v1::CloseReason::ClosedByScene,
        };
        let mut knowledge = Knowledge::default();
        assert!(knowledge.covers(&finished, 0));
        assert!(!knowledge.covers(&finished, 1));
        assert!(knowledge.covers(&close, 1));
        assert!(knowledge.covers(&Action::GroupLost, 1));
        assert!(knowledge.covers(&finished, 1));
        assert!(!knowledge.covers(&finished, 2));
    }
}
