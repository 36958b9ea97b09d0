//! The group each second, for as long as somebody looks.

use std::time::Duration;

use protocol::v1::WatchResponse;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{sleep, timeout},
};

use crate::nodes::{Master, NodesError, watch};

/// What the master says, or that it says nothing.
#[derive(Debug)]
pub(super) enum Word {
    /// The group as it is now.
    State(Box<WatchResponse>),
    /// Why there is nothing newer.
    Away(NodesError),
}

/// The master speaks each second: after so long it is taken for gone.
const SILENCE: Duration = Duration::from_secs(4);

/// Between two attempts to reach it.
const PAUSE: Duration = Duration::from_millis(500);

/// Follows the master until the answer is dropped.
pub(super) fn follow(master: Master) -> Receiver<Word> {
    // Who draws slowly is shown what comes then.
    let (words, heard) = channel(1);
    tokio::spawn(async move {
        loop {
            let away = hear(&master, &words).await;
            let Some(away) = away else { return };
            if words.send(Word::Away(away)).await.is_err() {
                return;
            }
            sleep(PAUSE).await;
        }
    });
    heard
}

/// Passes on what the master says until it does not. Nothing if nobody listens.
async fn hear(master: &Master, words: &Sender<Word>) -> Option<NodesError> {
    let mut states = match watch(master).await {
        Ok(states) => states,
        Err(error) => return Some(error),
    };
    loop {
        let state = match timeout(SILENCE, states.message()).await {
            Ok(Ok(Some(state))) => state,
            Ok(Ok(None)) => return Some(master.silent("it has ended the stream")),
            Ok(Err(status)) => return Some(master.silent(status.message())),
            Err(_) => {
                let text = format!("silence for {} s", SILENCE.as_secs());
                return Some(master.silent(&text));
            }
        };
        words.send(Word::State(Box::new(state))).await.ok()?;
    }
}
