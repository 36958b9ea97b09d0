//! What a machine may do to its daemons: a disk that is full, a clock that jumps, files
//! that they may not read. Each says what is wrong, and nothing that was kept is lost.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod again;
mod clock;
mod full_disk;
mod unreadable;
