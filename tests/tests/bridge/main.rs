//! Groups of real processes that call each other over bridges, and what callers see
//! when bridges, masters and whole groups end, freeze, drain and come back.
//!
//! The bounds of pauses are loose: they are ten times of what is aimed at and more, since
//! the machine may be busy; what was measured is printed. The counts are exact.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod chaos;
mod circle;
mod drained;
mod exports;
mod frozen;
mod group_gone;
mod killed;
mod large;
mod least_loaded;
mod lone_caller;
mod master;
mod names;
mod nodes;
mod scripts;
mod secret;
mod stage;
