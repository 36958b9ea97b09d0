//! Everything that a gate measures; what each is says the catalogue of metrics, in
//! `daemon`. The hot path holds the counters it needs;
//! rare events look theirs up.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use protocol::{close_reason_name, v1::CloseReason};

use crate::{
    handle::{Pushed, Taken},
    pace::Pause,
    transport::Kind,
};

/// Sessions that have been let in and are not gone.
const SESSIONS: &str = "redrabbit_gate_sessions";
/// Those of them whose client is away, and may come back.
const AWAY: &str = "redrabbit_gate_sessions_away";
/// Clients that came back, by `outcome`: `resumed`, or the reason why not.
const RESUMES: &str = "redrabbit_gate_resumes_total";
const COMPRESSED: &str = "redrabbit_gate_compressed_bytes_total";
const TICKETS: &str = "redrabbit_gate_tickets_total";
/// Sessions that may be.
const SESSIONS_LIMIT: &str = "redrabbit_gate_sessions_limit";
/// Frames, and bytes, that wait in the send queues of all sessions.
const QUEUE_FRAMES: &str = "redrabbit_gate_queue_frames";
const QUEUE_BYTES: &str = "redrabbit_gate_queue_bytes";
/// Open connections, verified or not, by `transport`: `tcp`, `websocket`.
const CONNECTIONS: &str = "redrabbit_gate_connections";
/// Connections that were accepted, by `transport`.
const ACCEPTED: &str = "redrabbit_gate_accepted_total";
/// Connections that could not be accepted because the system said no.
const ACCEPT_ERRORS: &str = "redrabbit_gate_accept_errors_total";
/// Clients that were turned away before they became a session, by `reason`.
const REFUSED: &str = "redrabbit_gate_refused_total";
/// Connections that ended, the refused ones among them, by `reason`.
const CLOSED: &str = "redrabbit_gate_closed_total";
/// Frames, by `direction`: `in` from clients, `out` to them.
const FRAMES: &str = "redrabbit_gate_frames_total";
/// Bytes of frames with their heads, by `direction`.
const BYTES: &str = "redrabbit_gate_bytes_total";
/// Messages of scenes for or about clients that came to nothing, by `reason`.
const DROPPED: &str = "redrabbit_gate_dropped_total";
/// How often the reading of a socket was stopped, by `reason`: `rate`,
/// `session_window`, `scene_window`, `held`.
const PAUSED: &str = "redrabbit_gate_paused_total";
/// Frames of clients that went with a scene that had not finished them.
const FRAMES_LOST: &str = "redrabbit_gate_frames_lost_total";
/// Frames of clients that were read while no scene held the session, and went
/// with it.
const FRAMES_UNSENT: &str = "redrabbit_gate_frames_unsent_total";
/// How long the verifying scene took to answer.
const VERIFY: &str = "redrabbit_gate_verify_seconds";

/// The gate's counters.
pub(crate) struct Metrics {
    pub(crate) sessions: Gauge,
    pub(crate) away: Gauge,
    pub(crate) frames_in: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) frames_out: Counter,
    pub(crate) bytes_out: Counter,
    paused_by_rate: Counter,
    paused_by_session_window: Counter,
    paused_by_scene_window: Counter,
    paused_by_hold: Counter,
    outdated: Counter,
    frames_lost: Counter,
    frames_unsent: Counter,
    pub(crate) verify_seconds: Histogram,
    pub(crate) accept_errors: Counter,
    /// All that came to nothing, for the gate's vitals.
    lost: AtomicU64,
}

/// Every way in which a message of a scene comes to nothing, but for the frame
/// whose place a newer one has taken (`outdated`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// The client has gone, or was never here.
    UnknownLogin,
    /// Its send queue was full, and it is closed for it.
    SlowConsumer,
    /// Its connection was about to end.
    Closing,
    /// A scene sent what is no message.
    Malformed,
    /// It came of a scene that does not hold the session.
    NotHolder,
    /// The session is in as many channels as it may be.
    TooManyChannels,
}

impl Metrics {
    /// Registers them, with the recorder of the process.
    pub(crate) fn new() -> Self {
        Metrics {
            sessions: gauge!(SESSIONS),
            away: gauge!(AWAY),
            frames_in: counter!(FRAMES, "direction" => "in"),
            bytes_in: counter!(BYTES, "direction" => "in"),
            frames_out: counter!(FRAMES, "direction" => "out"),
            bytes_out: counter!(BYTES, "direction" => "out"),
            paused_by_rate: counter!(PAUSED, "reason" => "rate"),
            paused_by_session_window: counter!(PAUSED, "reason" => "session_window"),
            paused_by_scene_window: counter!(PAUSED, "reason" => "scene_window"),
            paused_by_hold: counter!(PAUSED, "reason" => "held"),
            outdated: counter!(DROPPED, "reason" => "outdated"),
            frames_lost: counter!(FRAMES_LOST),
            frames_unsent: counter!(FRAMES_UNSENT),
            verify_seconds: histogram!(VERIFY),
            accept_errors: counter!(ACCEPT_ERRORS),
            lost: AtomicU64::new(0),
        }
    }

    /// How things stand, which is looked at now and then.
    pub(crate) fn stands(&self, limit: usize, queued: Taken) {
        gauge!(SESSIONS_LIMIT).set(limit as f64);
        gauge!(QUEUE_FRAMES).set(queued.0 as f64);
        gauge!(QUEUE_BYTES).set(queued.1 as f64);
    }

    /// A connection was accepted.
    pub(crate) fn opened(&self, kind: Kind) {
        counter!(ACCEPTED, "transport" => kind.as_str()).increment(1);
        gauge!(CONNECTIONS, "transport" => kind.as_str()).increment(1);
    }

    /// A connection is gone.
    pub(crate) fn gone(&self, kind: Kind) {
        gauge!(CONNECTIONS, "transport" => kind.as_str()).decrement(1);
    }

    /// A client has come back, and got its session or this reason.
    pub(crate) fn resumed(&self, refused: Option<CloseReason>) {
        let outcome = refused.map_or("resumed", close_reason_name);
        counter!(RESUMES, "outcome" => outcome).increment(1);
    }

    /// A message of so many bytes has so many after it was compressed.
    pub(crate) fn compressed(&self, before: usize, after: usize) {
        counter!(COMPRESSED, "side" => "before").increment(before as u64);
        counter!(COMPRESSED, "side" => "after").increment(after as u64);
    }

    /// A ticket was `given`, `used`, has `lapsed`, or was `refused`.
    pub(crate) fn ticket(&self, outcome: &'static str) {
        counter!(TICKETS, "outcome" => outcome).increment(1);
    }

    /// A connection ends.
    pub(crate) fn closed(&self, reason: CloseReason, was_session: bool) {
        let reason = close_reason_name(reason);
        counter!(CLOSED, "reason" => reason).increment(1);
        if !was_session && reason != close_reason_name(CloseReason::Redirected) {
            counter!(REFUSED, "reason" => reason).increment(1);
        }
    }

    /// The reading of a socket was stopped.
    pub(crate) fn paused(&self, pause: Pause) {
        let counter = match pause {
            Pause::Rate => &self.paused_by_rate,
            Pause::SessionWindow => &self.paused_by_session_window,
            Pause::SceneWindow => &self.paused_by_scene_window,
            Pause::Held => &self.paused_by_hold,
        };
        counter.increment(1);
    }

    /// A scene is gone with so many frames of a session.
    pub(crate) fn lost(&self, frames: usize) {
        self.frames_lost.increment(frames as u64);
        self.lost.fetch_add(frames as u64, Ordering::Relaxed);
    }

    /// A session is gone with so many frames that no scene was sent.
    pub(crate) fn unsent(&self, frames: usize) {
        if frames > 0 {
            self.frames_unsent.increment(frames as u64);
            self.lost.fetch_add(frames as u64, Ordering::Relaxed);
        }
    }

    /// A frame was pushed to a client, or was not.
    pub(crate) fn pushed(&self, pushed: Pushed) {
        match pushed {
            Pushed::Queued => {}
            Pushed::Replaced => self.outdated.increment(1),
            Pushed::Overflowed => self.dropped(DropReason::SlowConsumer),
            Pushed::Closing => self.dropped(DropReason::Closing),
        }
    }

    /// A message of a scene comes to nothing.
    pub(crate) fn dropped(&self, reason: DropReason) {
        counter!(DROPPED, "reason" => reason.as_str()).increment(1);
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// How many messages and frames were lost, whatever the reason.
    pub(crate) fn lost_so_far(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl DropReason {
    fn as_str(self) -> &'static str {
        match self {
            DropReason::UnknownLogin => "unknown_login",
            DropReason::SlowConsumer => "slow_consumer",
            DropReason::Closing => "closing",
            DropReason::Malformed => "malformed",
            DropReason::NotHolder => "not_holder",
            DropReason::TooManyChannels => "too_many_channels",
        }
    }
}
