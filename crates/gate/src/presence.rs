//! A session that its scene has been told of.

use std::sync::Arc;

use protocol::{
    CallError, Login, SessionId,
    client::Frame,
    v1::{self, CloseReason},
};

use crate::{handle::Handle, shared::Shared, window::SceneWindow};

/// A session's seat in the table and in its scene. Whichever way it ends, the
/// scene is told once.
pub(crate) struct Presence {
    shared: Arc<Shared>,
    handle: Arc<Handle>,
    window: Arc<SceneWindow>,
    session_id: SessionId,
    login: Login,
    /// Whether the scene is to be told of the end.
    entered: bool,
}

/// What the scene has to know of a session that enters it.
pub(crate) struct Entry {
    pub(crate) session_id: SessionId,
    pub(crate) login: Login,
    pub(crate) scene: protocol::NodeId,
    pub(crate) online_time: u64,
}

impl Presence {
    /// Seats the session and lets it enter its scene, or says why not.
    pub(crate) fn enter(
        shared: &Arc<Shared>,
        handle: &Arc<Handle>,
        entry: Entry,
    ) -> Result<Presence, CloseReason> {
        let Entry {
            session_id,
            login,
            scene,
            online_time,
        } = entry;
        let table = &shared.sessions.table;
        let window = match table.insert(login, scene, Arc::clone(handle)) {
            Ok(window) => window,
            Err(error) => {
                tracing::error!(session_id = session_id.as_str(), %error, "login given twice by the verifying scene");
                return Err(CloseReason::VerifyUnavailable);
            }
        };
        shared.sessions.metrics.sessions.increment(1);
        let mut presence = Presence {
            shared: Arc::clone(shared),
            handle: Arc::clone(handle),
            window,
            session_id,
            login,
            entered: false,
        };
        // The scene may have gone after it was found. From here on its end
        // finds this session in the table; before, this look finds it gone.
        if !shared.group.has(scene) {
            table.close_scene(scene);
            return Err(presence.lost());
        }
        let enter = v1::Enter {
            session_id: presence.session_id.as_str().to_owned(),
            login: login.0,
            online_time,
            from_scene: String::new(),
            extra_data: Default::default(),
        };
        match shared.group.enter(scene, &enter) {
            Ok(()) => presence.entered = true,
            Err(error) => return Err(presence.reason_of(&error)),
        }
        Ok(presence)
    }

    /// Who it is.
    pub(crate) fn session_id(&self) -> &SessionId {
        &self.session_id
    }

    /// The number of its login.
    pub(crate) fn login(&self) -> Login {
        self.login
    }

    /// What it shares with the other sessions of its scene.
    pub(crate) fn window(&self) -> &Arc<SceneWindow> {
        &self.window
    }

    /// Sends the scene a frame, for which there is room.
    pub(crate) fn send(&self, frame: Frame, weight: u32) -> Result<(), CloseReason> {
        // Before it goes, so that it is there when it comes back finished.
        self.handle.send(weight);
        let frame = v1::Frame {
            login: self.login.0,
            cmd: frame.cmd.into(),
            body: frame.body,
        };
        self.shared
            .group
            .frame(self.window.scene(), &frame)
            .map_err(|error| {
                // The scene will never say that it has finished this one.
                self.window.free(self.handle.take_back());
                self.reason_of(&error)
            })
    }

    /// Ends it; the scene hears of it if it is there.
    pub(crate) fn leave(mut self, offline: bool) {
        self.entered &= offline;
    }

    /// What is never refused was refused: the scene is gone, or this gate is
    /// out of the group, or the frame is larger than any envelope.
    fn reason_of(&self, error: &CallError) -> CloseReason {
        match error.kind {
            protocol::ErrorKind::TooLarge => CloseReason::FrameTooLarge,
            _ => self.lost(),
        }
    }

    fn lost(&self) -> CloseReason {
        if self.shared.group.is_joined() {
            CloseReason::SceneLost
        } else {
            CloseReason::GroupLost
        }
    }
}

/// Here rather than in `leave`, so that a connection whose task is torn down
/// leaves nobody behind in a scene.
impl Drop for Presence {
    fn drop(&mut self) {
        let sessions = &self.shared.sessions;
        // Its task ends it in an orderly way and with its own reason before.
        self.handle.close(CloseReason::SocketError);
        sessions.table.remove(self.login);
        sessions.metrics.sessions.decrement(1);
        if self.entered {
            let offline = v1::Offline {
                login: self.login.0,
            };
            // Refused, it is because the scene is gone or this gate is, and
            // either tells the scene as much.
            let _ = self.shared.group.offline(self.window.scene(), &offline);
        }
    }
}
