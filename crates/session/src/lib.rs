//! A session's life, from verification to offline, decided without I/O.
//!
//! Three machines share the decision, and each has a module:
//!
//! - the **owner**, on the host of the verifying scene, gives logins their
//!   numbers and lets a newer one in when the older one is held by nobody;
//! - the **gate**'s half knows which scene holds the session, and what has to
//!   happen before another one does;
//! - the **scene**'s half has the sessions that are here, and what each of them
//!   still waits for.
//!
//! What happens goes in as a call, what has to be done comes out as effects; the
//! daemons carry them out. They talk through messages that arrive once and in
//! order between two living nodes.
//!
//! Invariants, which the simulation in `tests/` looks for in random schedules:
//! - two scenes never hold a session at the same time, whatever its logins;
//! - a scene sees enter, then frames, then leave or offline, of each holding;
//! - the offline of a login is raised once, in the scene that holds it;
//! - no frame is lost, repeated or reordered while its session and its scene live.

pub mod gate;
pub mod owner;
pub mod scene;
