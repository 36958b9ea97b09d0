//! The gate's half: which scene holds a login, from its first enter to its end.
//!
//! ```text
//!            ┌──────────────── scene gone ───────────────┐
//!            ▼                                           │
//!        Waiting ──scene ready──► Held ──change──► Leaving
//!            ▲                    │  ▲                │
//!            └────── no target ───┼──┴───── left ─────┤
//!                                 └──client gone──► Going ──left──► Ended
//! ```

use bytes::Bytes;
use protocol::{NodeId, NodeName, v1::CloseReason};

/// A login, as its gate sees it. It outlives the client's connection until no
/// scene holds it.
#[derive(Debug)]
pub struct Life {
    state: State,
    /// The number of the latest holding, 0 before the first.
    holding: u32,
}

/// What the directory says of scenes.
pub trait Scenes {
    /// The scene of this name that takes sessions now.
    fn ready(&self, name: &NodeName) -> Option<NodeId>;

    /// Whether there is a scene of this name, in whatever state.
    fn knows(&self, name: &NodeName) -> bool;
}

/// What the gate has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the scene that it holds the session, and send it frames from now on.
    Enter {
        /// The scene.
        scene: NodeId,
        /// The number of the holding that begins.
        holding: u32,
        /// Where the session comes from.
        from_scene: Option<NodeName>,
        /// What comes along.
        extra_data: Bytes,
    },
    /// Send the scene the leave marker, and hold frames from now on.
    Leave {
        /// The scene.
        scene: NodeId,
        /// The number of the holding that ends.
        holding: u32,
        /// Where the session goes.
        to_scene: NodeName,
        /// What goes along.
        extra_data: Bytes,
    },
    /// Tell the scene that the client is gone.
    Offline {
        /// The scene.
        scene: NodeId,
        /// The number of the holding that ends.
        holding: u32,
    },
    /// Tell the scene that the session stays.
    Stay {
        /// The scene.
        scene: NodeId,
        /// Where it was to go.
        to_scene: NodeName,
    },
    /// Frames that the scene has not finished are not finished by anybody: it is
    /// gone with them.
    Lost(NodeId),
    /// No scene holds the session: hold its frames, and give up in a while.
    Wait,
    /// Close the client's connection.
    Close(CloseReason),
    /// It is over: no scene holds the session, and none will.
    Ended,
}

impl Effect {
    /// As logs say it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Effect::Enter { .. } => "enter",
            Effect::Leave { .. } => "leave",
            Effect::Offline { .. } => "offline",
            Effect::Stay { .. } => "stay",
            Effect::Lost(_) => "lost",
            Effect::Wait => "wait",
            Effect::Close(_) => "close",
            Effect::Ended => "ended",
        }
    }

    /// The scene that it is about, if it is about one.
    pub fn scene(&self) -> Option<NodeId> {
        match self {
            Effect::Enter { scene, .. }
            | Effect::Leave { scene, .. }
            | Effect::Offline { scene, .. }
            | Effect::Stay { scene, .. }
            | Effect::Lost(scene) => Some(*scene),
            Effect::Wait | Effect::Close(_) | Effect::Ended => None,
        }
    }
}

#[derive(Clone, Debug)]
struct Holder {
    name: NodeName,
    node: NodeId,
}

#[derive(Debug)]
enum State {
    Held(Holder),
    /// The scene has been sent the leave marker.
    Leaving {
        from: Holder,
        to: NodeName,
        extra_data: Bytes,
    },
    /// No scene holds it, and it goes to the next one of this name.
    Waiting {
        to: NodeName,
        from: Option<Holder>,
        extra_data: Bytes,
    },
    /// The client is gone, and the scene has been told. A leave to `then` may
    /// have been under way.
    Going {
        at: Holder,
        then: Option<NodeName>,
    },
    Ended,
}

impl Life {
    /// Of a login that has been let in and goes to the scene `to`.
    pub fn begin(to: NodeName, scenes: &impl Scenes) -> (Self, Vec<Effect>) {
        let mut life = Life {
            state: State::Ended,
            holding: 0,
        };
        let effects = life.go_to(to, None, Bytes::new(), scenes);
        (life, effects)
    }

    /// The scene that takes the client's frames now; without one they are held.
    pub fn holder(&self) -> Option<NodeId> {
        match &self.state {
            State::Held(holder) => Some(holder.node),
            _ => None,
        }
    }

    /// Whether it waits for a scene to come.
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    /// The scene `source` wants the session to go to `to`; its own name is for a
    /// scene that is going, whose sessions are held for its return. A wish of a
    /// scene that does not hold it, or not any more, means nothing.
    pub fn change(
        &mut self,
        source: NodeId,
        holding: u32,
        to: NodeName,
        extra_data: Bytes,
        scenes: &impl Scenes,
    ) -> Vec<Effect> {
        let from = match &self.state {
            State::Held(holder) if holder.node == source && self.holding == holding => {
                holder.clone()
            }
            _ => return Vec::new(),
        };
        if to != from.name && !scenes.knows(&to) {
            return vec![Effect::Stay {
                scene: source,
                to_scene: to,
            }];
        }
        self.state = State::Leaving {
            from,
            to: to.clone(),
            extra_data: extra_data.clone(),
        };
        vec![Effect::Leave {
            scene: source,
            holding,
            to_scene: to,
            extra_data,
        }]
    }

    /// The scene `source` does not hold the session any more: it has raised its
    /// offline, or its leave, and then `extra_data` goes along.
    pub fn left(
        &mut self,
        source: NodeId,
        holding: u32,
        offline: bool,
        extra_data: Bytes,
        scenes: &impl Scenes,
    ) -> Vec<Effect> {
        if self.holding != holding {
            return Vec::new();
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Leaving { from, to, .. } if from.node == source && !offline => {
                self.go_to(to, Some(from), extra_data, scenes)
            }
            // A scene that has raised an offline that nobody asked for does not
            // want the session; or it is not of this program.
            State::Leaving { from: holder, .. } | State::Held(holder) if holder.node == source => {
                vec![Effect::Close(CloseReason::ClosedByScene), Effect::Ended]
            }
            State::Going { at, then } if at.node == source => match then {
                // The leave was done before the scene heard that the client is
                // gone. So the offline belongs to the next scene.
                Some(to) if !offline => self.go_through(&to, at, extra_data, scenes),
                _ => vec![Effect::Ended],
            },
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    /// A scene is gone.
    pub fn scene_gone(&mut self, node: NodeId, scenes: &impl Scenes) -> Vec<Effect> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Held(holder) if holder.node == node => {
                let (to, from) = (holder.name.clone(), Some(holder));
                let mut effects = vec![Effect::Lost(node)];
                effects.extend(self.go_to(to, from, Bytes::new(), scenes));
                effects
            }
            State::Leaving {
                from,
                to,
                extra_data,
            } if from.node == node => {
                let mut effects = vec![Effect::Lost(node)];
                effects.extend(self.go_to(to, Some(from), extra_data, scenes));
                effects
            }
            State::Going { at, .. } if at.node == node => vec![Effect::Lost(node), Effect::Ended],
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    /// A scene takes sessions that did not before.
    pub fn scene_ready(&mut self, name: &NodeName, node: NodeId) -> Vec<Effect> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Waiting {
                to,
                from,
                extra_data,
            } if to == *name && is_other(from.as_ref(), node) => {
                vec![self.enter(to, node, from, extra_data)]
            }
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    /// The client's connection is closing, and sends no more.
    pub fn client_gone(&mut self) -> Vec<Effect> {
        let (at, then) = match std::mem::replace(&mut self.state, State::Ended) {
            State::Held(holder) => (holder, None),
            State::Leaving { from, to, .. } => (from, Some(to)),
            // Nobody holds it, so there is nobody to tell.
            State::Waiting { .. } => return vec![Effect::Ended],
            other @ (State::Going { .. } | State::Ended) => {
                self.state = other;
                return Vec::new();
            }
        };
        let scene = at.node;
        self.state = State::Going { at, then };
        vec![Effect::Offline {
            scene,
            holding: self.holding,
        }]
    }

    /// It has waited long enough.
    pub fn give_up(&mut self) -> Vec<Effect> {
        if !self.is_waiting() {
            return Vec::new();
        }
        self.state = State::Ended;
        vec![Effect::Close(CloseReason::SceneLost), Effect::Ended]
    }

    fn go_to(
        &mut self,
        to: NodeName,
        from: Option<Holder>,
        extra_data: Bytes,
        scenes: &impl Scenes,
    ) -> Vec<Effect> {
        let ready = scenes.ready(&to);
        if let Some(node) = ready.filter(|node| is_other(from.as_ref(), *node)) {
            return vec![self.enter(to, node, from, extra_data)];
        }
        self.state = State::Waiting {
            to,
            from,
            extra_data,
        };
        vec![Effect::Wait]
    }

    fn enter(
        &mut self,
        name: NodeName,
        node: NodeId,
        from: Option<Holder>,
        extra_data: Bytes,
    ) -> Effect {
        self.holding += 1;
        self.state = State::Held(Holder { name, node });
        Effect::Enter {
            scene: node,
            holding: self.holding,
            from_scene: from.map(|from| from.name),
            extra_data,
        }
    }

    /// Enters a scene for its offline alone.
    fn go_through(
        &mut self,
        to: &NodeName,
        from: Holder,
        extra_data: Bytes,
        scenes: &impl Scenes,
    ) -> Vec<Effect> {
        let ready = scenes.ready(to);
        let Some(node) = ready.filter(|node| is_other(Some(&from), *node)) else {
            return vec![Effect::Ended];
        };
        let enter = self.enter(to.clone(), node, Some(from), extra_data);
        let mut effects = vec![enter];
        effects.extend(self.client_gone());
        effects
    }
}

/// Whether a session that comes from there may enter `node`. It does not go back
/// to the scene that it has just left for that one's return: the scene is going,
/// and the directory may not say so yet.
fn is_other(from: Option<&Holder>, node: NodeId) -> bool {
    from.is_none_or(|from| from.node != node)
}

#[cfg(test)]
mod tests;
