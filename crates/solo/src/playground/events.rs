//! News of the script, as server-sent events: the status now, and again at
//! each change.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Serialize;
use tokio::sync::watch;

use super::Page;
use super::backend::Status;

/// How the page reads a [`Status`].
#[derive(Serialize)]
struct Wire<'a> {
    version: u32,
    hash: &'a str,
    /// Unix time in milliseconds.
    loaded_at: Option<u64>,
    error: Option<&'a str>,
}

/// Ends when the playground shuts down, or the scene is gone.
pub(super) async fn stream(
    State(page): State<Arc<Page>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let mut status = page.backend.status();
    status.mark_changed();
    let news = changes(status).map(|status| Ok(event(&status)));
    let until_shutdown = news.take_until(page.shutdown.clone().cancelled_owned());
    Sse::new(until_shutdown).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

fn changes(status: watch::Receiver<Status>) -> impl Stream<Item = Status> {
    stream::unfold(status, |mut status| async move {
        status.changed().await.ok()?;
        let now = status.borrow_and_update().clone();
        Some((now, status))
    })
}

fn event(status: &Status) -> Event {
    let wire = Wire {
        version: status.version,
        hash: &status.hash,
        loaded_at: status.loaded_at.map(unix_milliseconds),
        error: status.error.as_deref(),
    };
    // Numbers and text always have a JSON form; an empty event says nothing.
    Event::default().json_data(wire).unwrap_or_default()
}

fn unix_milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
