//! Sessions outlive what happens behind their gate: scenes that change, end and
//! come back, owners that restart, brokers that go. And they end once, when
//! their gate does.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod bounce;
mod chaos;
mod gate_drain;
mod gate_gone;
mod journal;
mod logins;
mod scene_drain;
mod stage;
mod traveller;
mod upgrade;
mod world;
