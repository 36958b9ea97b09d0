//! The examples of scenes run as their READMEs say: the commands are taken from
//! there, and what a player types and reads in a terminal is held against what is
//! printed there.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail")]

mod arena;
mod documents;
mod mariadb;
mod readme;
mod restart;
mod solo;
mod stage;
mod terminal;
mod transcripts;
