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
            let (gate, login, holding) = self.detached.swap_remove(at - jobs);
            let id = self.taken_as[&(login, holding)];
            rest.record.reattached(id, login, holding);
            if let Some(seat) = self.sessions.finish_detached(gate, login, holding) {
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
            let session = session.clone();
            let taken_as = |login, holding| self.taken_as[&(login, holding)];
            let work = match job {
                Job::Enter { .. } => {
                    let login = rest.record.entered(&self.nodes(), &session);
                    let present = self.present.insert(session.clone(), login);
                    assert_eq!(present, None, "{session} enters, and is here");
                    Work::Enter
                }
                Job::Frame {
                    gate,
                    login,
                    holding,
                    body,
                    ..
                } => {
                    let number = body.as_ref().try_into().map(u32::from_le_bytes).unwrap();
                    let id = taken_as(login, holding);
                    assert_eq!(self.present.get(&session), Some(&login), "{session} speaks");
                    rest.record.handled(id, login, holding, number);
                    if rest.chance(20) {
                        self.sessions.detach(login, holding);
                        rest.record.detached(id, login, holding);
                        self.detached.push((gate, login, holding));
                        self.sessions.end(seat);
                        continue;
                    }
                    Work::Frame(gate, login, holding)
                }
                Job::Leave { login, holding, .. } => {
                    assert_eq!(self.present.remove(&session), Some(login), "{session} goes");
                    rest.record
                        .ending(taken_as(login, holding), login, holding, false);
                    Work::End(login, holding)
                }
                Job::Offline { login, holding, .. } => {
                    assert_eq!(self.present.remove(&session), Some(login), "{session} goes");
                    rest.record
                        .ending(taken_as(login, holding), login, holding, true);
                    Work::End(login, holding)
                }
            };
            rest.say(|| format!("  {} {}: {session} {work:?}", self.name, self.id));
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
            Work::Frame(gate, login, holding) => self.sessions.finish(gate, login, holding),
            Work::End(login, holding) => {
                let id = self.taken_as[&(login, holding)];
                rest.record.ended(id, login, holding);
            }
        }
        self.sessions.end(seat);
    }
}
