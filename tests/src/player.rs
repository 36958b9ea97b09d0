//! A player: a client that speaks JSON and waits for what it wants to hear.

use client::{Client, ClientError, Frame};
use serde_json::Value;

use crate::within;

/// A client that has been let in.
pub struct Player {
    client: Client,
    name: String,
}

impl Player {
    pub async fn login(mut client: Client, name: &str) -> Result<Player, ClientError> {
        within("the login is answered", client.login(name)).await?;
        Ok(Player {
            client,
            name: name.to_owned(),
        })
    }

    /// A client that is in already.
    pub fn of(client: Client, name: &str) -> Player {
        Player {
            client,
            name: name.to_owned(),
        }
    }

    pub async fn send(&mut self, cmd: u16, value: Value) {
        let body = serde_json::to_vec(&value).unwrap();
        self.client.send(cmd, &body).await.unwrap();
    }

    /// The next message.
    pub async fn next(&mut self) -> (u16, Value) {
        let frame = self
            .frame()
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let value = serde_json::from_slice(&frame.body)
            .unwrap_or_else(|error| panic!("{}: {error} in {:?}", self.name, frame.body));
        (frame.cmd, value)
    }

    /// The next message, whatever its body is.
    pub async fn next_raw(&mut self) -> (u16, Vec<u8>) {
        let frame = self
            .frame()
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        (frame.cmd, frame.body.to_vec())
    }

    /// The next message of this `cmd`; others on the way are passed over.
    pub async fn hears(&mut self, cmd: u16) -> Value {
        loop {
            let (came, value) = self.next().await;
            if came == cmd {
                return value;
            }
        }
    }

    /// Listens until it hears such a message.
    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) {
        loop {
            let (_, value) = self.next().await;
            if wanted(&value) {
                return;
            }
        }
    }

    /// Whether the script answers.
    pub async fn try_echo(&mut self) -> bool {
        if self.client.send(1, b"[0]").await.is_err() {
            return false;
        }
        loop {
            match self.frame().await {
                Ok(frame) if frame.cmd == 1 => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    /// Sends, and hears the answer of the same `cmd`.
    pub async fn asks(&mut self, cmd: u16, value: Value) -> Value {
        self.send(cmd, value).await;
        self.hears(cmd).await
    }

    /// Why the gate ends the connection; messages on the way are passed over.
    pub async fn is_closed(&mut self) -> String {
        loop {
            match self.frame().await {
                Ok(_) => {}
                Err(ClientError::Closed { reason }) => return reason,
                Err(error) => return format!("without a word: {error}"),
            }
        }
    }

    pub async fn frame(&mut self) -> Result<Frame, ClientError> {
        within(
            &format!("{} hears something", self.name),
            self.client.recv(),
        )
        .await
    }

    /// The connection itself.
    pub fn into_client(self) -> Client {
        self.client
    }
}
