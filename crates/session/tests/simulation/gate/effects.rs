//! What follows from what a life decides.

use bytes::Bytes;
use protocol::{Login, NodeId};
use session::gate::{Effect, Scenes};

use super::{Gate, WINDOW};
use crate::{messages::Message, rest::Rest};

impl Gate {
    pub(super) fn left(
        &mut self,
        source: NodeId,
        login: Login,
        holding: u32,
        offline: bool,
        extra_data: Bytes,
        rest: &mut Rest,
    ) {
        let Some(entry) = self.lives.get_mut(&login) else {
            return;
        };
        let window = entry.window;
        let effects = entry
            .life
            .left(source, holding, offline, extra_data, &self.view);
        if effects.is_empty() {
            return;
        }
        let closes = effects.iter().any(|one| matches!(one, Effect::Close(_)));
        assert!(!closes, "{login} left {source} unasked");
        assert_eq!(
            window, 0,
            "{login} left {source} before its frames were finished"
        );
        if effects == [Effect::Ended] && !offline {
            let to = entry.goes_to.as_ref().and_then(|to| self.view.ready(to));
            // Held for the return of the scene that it left, which is not back.
            let to = to.filter(|to| *to != source);
            assert_eq!(to, None, "{login} ends without its offline");
        }
        self.perform(login, effects, rest);
    }

    pub(super) fn perform(&mut self, login: Login, effects: Vec<Effect>, rest: &mut Rest) {
        for effect in effects {
            self.perform_one(login, effect, rest);
        }
    }

    pub(super) fn perform_one(&mut self, login: Login, effect: Effect, rest: &mut Rest) {
        let Some(entry) = self.lives.get_mut(&login) else {
            panic!("{effect:?} for {login}, which has ended");
        };
        match effect {
            Effect::Enter {
                scene,
                holding,
                from_scene,
                extra_data,
            } => {
                assert_eq!(entry.window, 0, "{login} enters with frames under way");
                rest.record.counts.returned += u64::from(from_scene.is_some());
                let session = entry.session.clone();
                let enter = Message::Enter {
                    session,
                    login,
                    holding,
                    from_scene,
                    extra_data,
                };
                self.tell(scene, enter, rest);
                self.pump(login, rest);
            }
            Effect::Leave {
                scene,
                holding,
                to_scene,
                extra_data,
            } => {
                entry.goes_to = Some(to_scene.clone());
                let leave = Message::Leave {
                    login,
                    holding,
                    to_scene,
                    extra_data,
                };
                self.tell(scene, leave, rest);
            }
            Effect::Offline { scene, holding } => {
                self.tell(scene, Message::Offline { login, holding }, rest);
            }
            Effect::Stay { scene, .. } => self.tell(scene, Message::Stay { login }, rest),
            Effect::Lost(_) => entry.window = 0,
            Effect::Wait => {}
            Effect::Close(reason) => {
                if let Some(client) = entry.client.take() {
                    rest.close(client, reason);
                }
            }
            Effect::Ended => {
                assert_eq!(entry.client, None, "{login} ends with its client connected");
                self.lives.remove(&login);
                self.ended.push(login);
                for owner in self.replacing.remove(&login).unwrap_or_default() {
                    self.tell(owner, Message::Replaced(login), rest);
                }
            }
        }
    }

    /// Sends on what the client has sent, as far as that may be.
    pub(super) fn pump(&mut self, login: Login, rest: &mut Rest) {
        let Some(entry) = self.lives.get_mut(&login) else {
            return;
        };
        while entry.window < WINDOW
            && entry.client.is_some()
            && let Some(scene) = entry.life.holder()
            && let Some(number) = entry.socket.pop_front()
        {
            entry.window += 1;
            rest.record.forwarded(login, number, scene);
            let frame = Message::Frame { login, number };
            rest.channels.send(self.id, scene, frame);
        }
    }
}
