//! The server as it runs, spoken to over sockets, with a scene that is played.

mod access;
mod fixture;
mod news;
mod saving;
