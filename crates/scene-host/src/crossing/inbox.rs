//! What has arrived for the script and waits for its thread.

use std::{
    collections::VecDeque,
    io, mem,
    os::fd::RawFd,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::eventfd::Eventfd;
use crate::Event;

/// The queue into the script's thread.
///
/// It has no bound of its own, because each kind of event is bounded where it
/// comes from: frames by the windows of sessions and gates (the scene says what
/// is finished, and gates stop reading their sockets until it does), enter, leave,
/// stay and offline by the sessions that a gate may have, fences and verifications
/// by the requests that a node may have under way, and the latter by
/// [`Inbox::VERIFICATIONS`], too; answers by what a script may wait for at once;
/// calls of its services by [`Inbox::REQUESTS`] and [`Inbox::REQUEST_BYTES`].
#[derive(Debug)]
pub struct Inbox {
    queue: Mutex<Queue>,
    /// Whether the thread has been woken and has not yet come for the queue.
    pending: AtomicBool,
    wake: Eventfd,
}

#[derive(Debug, Default)]
struct Queue {
    events: Vec<Event>,
    verifications: usize,
    requests: usize,
    request_bytes: usize,
    taken: Taken,
}

/// What the queue takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Taken {
    #[default]
    Everything,
    /// All but clients that want to come in, and calls.
    NoClients,
    /// Only what the script waits for itself.
    Answers,
    Nothing,
}

/// The event was not taken: the script's thread is ending, or has more
/// verifications or calls waiting than it may have.
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    /// The scene is stopping.
    #[error("the scene is stopping")]
    Stopping,
    /// As many verifications wait as may.
    #[error("too many clients wait to be verified")]
    Full,
    /// As many calls wait as may.
    #[error("too many calls wait for the script")]
    Overloaded,
}

impl Inbox {
    /// How many verifications may wait for the script's thread. Their callers
    /// may have gone by the time it comes to them, so that nothing else bounds
    /// those that wait for a script that is blocked.
    pub const VERIFICATIONS: usize = 4_096;

    /// How many calls of services may wait for the script's thread, and of how
    /// many bytes together; one more is taken in any case when none waits.
    pub const REQUESTS: usize = 8_192;
    /// See [`Inbox::REQUESTS`].
    pub const REQUEST_BYTES: usize = 64 << 20;

    pub(crate) fn new() -> io::Result<Self> {
        Ok(Inbox {
            queue: Mutex::default(),
            pending: AtomicBool::new(false),
            wake: Eventfd::new()?,
        })
    }

    /// Hands `event` to the script's thread. Does not block.
    ///
    /// # Errors
    /// [`Closed`]: the event is dropped, and with it whatever waits for its
    /// answer is told so.
    pub fn push(&self, event: Event) -> Result<(), Closed> {
        {
            let mut queue = self.queue();
            let is_refused = match queue.taken {
                Taken::Everything | Taken::NoClients => false,
                Taken::Answers => !matches!(event, Event::Answer { .. }),
                Taken::Nothing => true,
            };
            if is_refused {
                return Err(Closed::Stopping);
            }
            if matches!(event, Event::Verify(_)) {
                if queue.taken == Taken::NoClients {
                    return Err(Closed::Stopping);
                }
                if queue.verifications >= Self::VERIFICATIONS {
                    return Err(Closed::Full);
                }
                queue.verifications += 1;
            }
            if let Event::Request(request) = &event {
                if queue.taken == Taken::NoClients {
                    return Err(Closed::Stopping);
                }
                if queue.requests >= Self::REQUESTS || queue.request_bytes >= Self::REQUEST_BYTES {
                    return Err(Closed::Overloaded);
                }
                queue.requests += 1;
                queue.request_bytes += request.body.len();
            }
            queue.events.push(event);
        }
        if !self.pending.swap(true, Ordering::AcqRel) {
            self.wake.signal();
        }
        Ok(())
    }

    /// How many events wait for the thread to come for them.
    pub(crate) fn len(&self) -> usize {
        self.queue().events.len()
    }

    /// Wakes the thread with nothing new.
    pub(crate) fn wake(&self) {
        self.wake.signal();
    }

    /// Begins a round of the thread: takes everything that has arrived, unless
    /// the round before has left something in `backlog`.
    ///
    /// The order matters: whoever pushes after the flag was cleared signals
    /// again, and whoever pushed before is in the queue that is taken.
    pub(crate) fn refill(&self, backlog: &mut VecDeque<Event>) {
        self.wake.clear();
        if backlog.is_empty() {
            self.pending.store(false, Ordering::Release);
            let mut queue = self.queue();
            queue.verifications = 0;
            (queue.requests, queue.request_bytes) = (0, 0);
            *backlog = mem::take(&mut queue.events).into();
        }
    }

    /// Ends a round: there is another one if it has not done everything, or
    /// something has arrived.
    pub(crate) fn rearm(&self, is_done: bool) {
        if !is_done || self.pending.load(Ordering::Acquire) {
            self.wake.signal();
        }
    }

    /// Takes no clients any more that want to come in, and no calls.
    pub(crate) fn refuse_clients(&self) {
        let mut queue = self.queue();
        if queue.taken == Taken::Everything {
            queue.taken = Taken::NoClients;
        }
    }

    /// Takes nothing more but answers to the script, which may need them to end;
    /// what is in the queue stays there.
    pub(crate) fn close(&self) {
        self.queue().taken = Taken::Answers;
    }

    /// Takes nothing more, and drops what is in the queue: nobody will come for
    /// it, and whoever waits for an answer shall hear that.
    pub(crate) fn end(&self) {
        let left = {
            let mut queue = self.queue();
            queue.taken = Taken::Nothing;
            mem::take(&mut queue.events)
        };
        drop(left);
    }

    /// What the event loop waits for.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.wake.raw()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A queue of whole events is as good after a panic as before it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, atomic::AtomicU64},
        thread,
        time::{Duration, Instant},
    };

    use protocol::{Login, NodeId};
    use tokio::sync::oneshot;

    use super::*;
    use crate::{Request, Verify};

    fn offline(login: u64) -> Event {
        Event::Offline {
            gate: NodeId::new(1, 1),
            login: Login(login),
            holding: 1,
        }
    }

    fn verify() -> Event {
        Event::Verify(Box::new(Verify {
            session_key: String::new(),
            online_time: 0,
            ip: String::new(),
            gate_name: String::new(),
            deadline: Instant::now(),
            verdict: oneshot::channel().0,
        }))
    }

    fn is_signalled(inbox: &Inbox) -> bool {
        inbox.wake.clear()
    }

    #[test]
    fn only_the_first_event_of_a_batch_wakes() {
        let inbox = Inbox::new().unwrap();
        inbox.push(offline(1)).unwrap();
        assert!(is_signalled(&inbox));
        inbox.push(offline(2)).unwrap();
        assert!(!is_signalled(&inbox));
        let mut backlog = VecDeque::new();
        inbox.refill(&mut backlog);
        assert_eq!(backlog.len(), 2);
        inbox.push(offline(3)).unwrap();
        assert!(is_signalled(&inbox));
    }

    #[test]
    fn what_many_threads_push_is_drained_once_and_in_each_ones_order() {
        const EACH: u64 = 2_000;
        let inbox = Arc::new(Inbox::new().unwrap());
        let pushers: Vec<_> = (0..4)
            .map(|thread| {
                let inbox = inbox.clone();
                thread::spawn(move || {
                    for number in 0..EACH {
                        inbox.push(offline(thread * EACH + number)).unwrap();
                    }
                })
            })
            .collect();
        let (mut seen, mut backlog) = (Vec::new(), VecDeque::new());
        while seen.len() < 4 * EACH as usize {
            // As the event loop does: only when it is signalled.
            if is_signalled(&inbox) {
                inbox.refill(&mut backlog);
                seen.extend(backlog.drain(..).map(|event| match event {
                    Event::Offline { login, .. } => login.0,
                    other => panic!("{other:?} was never pushed"),
                }));
            }
            thread::yield_now();
        }
        for pusher in pushers {
            pusher.join().unwrap();
        }
        for thread in 0..4 {
            let of_one: Vec<_> = seen.iter().filter(|n| *n / EACH == thread).collect();
            assert!(of_one.is_sorted(), "thread {thread} was reordered");
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..4 * EACH));
    }

    #[test]
    fn the_last_event_before_a_silence_is_never_left_unsignalled() {
        const ROUNDS: u64 = 20_000;
        let inbox = Arc::new(Inbox::new().unwrap());
        let round = Arc::new(AtomicU64::new(0));
        let pushers: Vec<_> = (0..2)
            .map(|_| {
                let (inbox, round) = (inbox.clone(), round.clone());
                thread::spawn(move || {
                    for number in 1..=ROUNDS {
                        while round.load(Ordering::Acquire) < number {
                            thread::yield_now();
                        }
                        inbox.push(offline(number)).unwrap();
                    }
                })
            })
            .collect();
        let mut backlog = VecDeque::new();
        for number in 1..=ROUNDS {
            round.store(number, Ordering::Release);
            let give_up = Instant::now() + Duration::from_secs(10);
            // Both push one, and then nobody does until both have been seen.
            let mut seen = 0;
            while seen < 2 {
                assert!(Instant::now() < give_up, "round {number}: nobody was woken");
                if is_signalled(&inbox) {
                    inbox.refill(&mut backlog);
                    seen += backlog.drain(..).count();
                }
            }
        }
        for pusher in pushers {
            pusher.join().unwrap();
        }
    }

    #[test]
    fn what_arrives_while_a_backlog_is_worked_off_is_not_forgotten() {
        let inbox = Inbox::new().unwrap();
        let mut backlog = VecDeque::new();
        inbox.push(offline(1)).unwrap();
        inbox.push(offline(2)).unwrap();
        inbox.refill(&mut backlog);
        backlog.pop_front();
        // This one signals, and the next round clears the signal unread.
        inbox.push(offline(3)).unwrap();
        inbox.refill(&mut backlog);
        assert_eq!(backlog.len(), 1);
        backlog.clear();
        inbox.rearm(backlog.is_empty());
        assert!(is_signalled(&inbox));
        inbox.refill(&mut backlog);
        assert_eq!(backlog.len(), 1);
    }

    #[test]
    fn verifications_past_the_bound_are_refused_and_nothing_else_is() {
        let inbox = Inbox::new().unwrap();
        for _ in 0..Inbox::VERIFICATIONS {
            inbox.push(verify()).unwrap();
        }
        assert!(matches!(inbox.push(verify()), Err(Closed::Full)));
        inbox.push(offline(1)).unwrap();
        inbox.refill(&mut VecDeque::new());
        inbox.push(verify()).unwrap();
    }

    #[test]
    fn calls_past_their_number_or_their_bytes_are_refused_and_nothing_else_is() {
        let request = |length| {
            Event::Request(Box::new(Request {
                cmd: 1,
                body: vec![0; length].into(),
                deadline: Instant::now(),
                source: NodeId::new(1, 1),
                origin: None,
                hops: 0,
                answer: oneshot::channel().0,
            }))
        };
        let inbox = Inbox::new().unwrap();
        for length in [0, Inbox::REQUEST_BYTES] {
            let mut taken = 0;
            while inbox.push(request(length)).is_ok() {
                taken += 1;
            }
            let refused = inbox.push(request(length));
            assert!(matches!(refused, Err(Closed::Overloaded)));
            assert_eq!(taken, if length == 0 { Inbox::REQUESTS } else { 1 });
            inbox.push(offline(1)).unwrap();
            inbox.refill(&mut VecDeque::new());
        }
        inbox.refuse_clients();
        assert!(matches!(inbox.push(request(0)), Err(Closed::Stopping)));
    }

    #[test]
    fn an_inbox_that_refuses_clients_takes_everything_else() {
        let inbox = Inbox::new().unwrap();
        inbox.refuse_clients();
        assert!(matches!(inbox.push(verify()), Err(Closed::Stopping)));
        inbox.push(offline(1)).unwrap();
        inbox.close();
        inbox.refuse_clients();
        assert!(inbox.push(offline(1)).is_err());
    }

    #[test]
    fn a_closed_inbox_takes_nothing() {
        let inbox = Inbox::new().unwrap();
        inbox.close();
        assert!(matches!(inbox.push(offline(1)), Err(Closed::Stopping)));
    }
}
