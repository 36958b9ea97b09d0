//! For which session the script is at work, for the lines that it writes.

use protocol::SessionId;
use pyo3::prelude::*;

use super::host::Host;

impl Host {
    /// The session whose function of the script runs just now. It is looked for when a
    /// line is written, and costs nothing else.
    pub(crate) fn speaker(&self, py: Python<'_>) -> Option<SessionId> {
        if let Some(seat) = self.speaking.get() {
            return self.sessions.try_borrow().ok()?.session(seat).cloned();
        }
        // A function that has waited goes on as a task.
        let task = py
            .import("asyncio")
            .and_then(|asyncio| asyncio.call_method0("current_task"))
            .ok()?;
        let pending = self.pending.try_borrow().ok()?;
        let mut pending = pending.values();
        let session = pending.find_map(|pending| pending.session_of(&task))?;
        SessionId::try_from(session).ok()
    }
}
