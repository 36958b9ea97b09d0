//! The script: handlers that are done at once, or wait for something, alone or
//! beside others.

use session::scene::{Job, SeatId};

use super::{Scene, Work};
use crate::rest::Rest;

impl Scene {
    /// Something that a handler waits for has come. Returns false if none waits.
    pub(crate) fn work(&mut self, rest: &mut Rest) -> bool {
        let (jobs, detached) = (self.under_way.len(), self.detached.len());
        if jobs + detached == 0 {
            let has_news = self.sessions.has_news();
            self.tell_news(rest);
            return has_news;
        }
        let at = rest.random.index(jobs + detached);
        if at < jobs {
            let (seat, work) = self.under_way.swap_remove(at);
            self.end(seat, work, rest);
            self.run_jobs(seat, rest);
        } else {
            let (gate, login) = self.detached.swap_remove(at - jobs);
            rest.record.reattached(self.id, login);
            if let Some(seat) = self.sessions.finish_detached(gate, login) {
                self.run_jobs(seat, rest);
            }
        }
        self.after(rest);
        true
    }

    pub(super) fn run_jobs(&mut self, seat: SeatId, rest: &mut Rest) {
        loop {
            let Some((job, session, ())) = self.sessions.begin(seat) else {
                return;
            };
            let (id, session) = (self.id, session.clone());
            let work = match job {
                Job::Enter { .. } => {
                    rest.record.entered(id, &session);
                    Work::Enter
                }
                Job::Frame {
                    gate, login, body, ..
                } => {
                    let number = body.as_ref().try_into().map(u32::from_le_bytes).unwrap();
                    rest.record.handled(id, login, number);
                    if rest.chance(20) {
                        self.sessions.detach(login);
                        rest.record.detached(id, login);
                        self.detached.push((gate, login));
                        self.sessions.end(seat);
                        continue;
                    }
                    Work::Frame(gate, login)
                }
                Job::Leave { login, .. } => {
                    rest.record.ending(id, login, false);
                    Work::End(login)
                }
                Job::Offline { login, .. } => {
                    rest.record.ending(id, login, true);
                    Work::End(login)
                }
            };
            rest.say(|| format!("  {} {id}: {session} {work:?}", self.name));
            if rest.chance(30) {
                self.under_way.push((seat, work));
                return;
            }
            self.end(seat, work, rest);
        }
    }

    pub(super) fn end(&mut self, seat: SeatId, work: Work, rest: &mut Rest) {
        match work {
            Work::Enter => {}
            Work::Frame(gate, login) => self.sessions.finish(gate, login),
            Work::End(login) => rest.record.ended(self.id, login),
        }
        self.sessions.end(seat);
    }
}
