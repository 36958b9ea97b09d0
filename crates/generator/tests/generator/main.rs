//! The program itself, on folders of its own.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod decision;
mod faults;
mod machine;
mod support;
mod tree;
mod verify;
