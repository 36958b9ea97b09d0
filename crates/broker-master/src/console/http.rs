//! The console over HTTP: its page, the group's state as JSON, and the same each second.

use std::{convert::Infallible, io, path::Path, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    middleware,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use broker::Registry;
use futures_util::StreamExt;
use protocol::GroupName;
use tokio::sync::Semaphore;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;

use super::{group_json, guard, token::Token};

const INDEX: &str = include_str!("../../console-page/dist/index.html");
const SCRIPT: &str = include_str!("../../console-page/dist/app.js");
const STYLE: &str = include_str!("../../console-page/dist/app.css");
const MARK: &str = include_str!("../../console-page/dist/rabbit.svg");
const LICENSES: &str = include_str!("../../console-page/dist/licenses.txt");

/// What the pages share.
pub(super) struct Console {
    pub(super) token: Token,
    /// What the cookie is called. A browser sends it to every port of a machine: each
    /// group has its own.
    pub(super) cookie: String,
    /// How this machine is called.
    pub(super) machine: String,
    registry: Arc<Registry>,
    /// One for each page that is open.
    watchers: Arc<Semaphore>,
    stop: CancellationToken,
}

/// As many pages may be open: less than may watch the group at once, so that those at a
/// terminal are not shut out.
const MAX_PAGES: usize = 64;

/// The pages of the console, for who shows the token in this file.
pub(crate) fn router(
    registry: Arc<Registry>,
    group: &GroupName,
    token_file: &Path,
    stop: CancellationToken,
) -> io::Result<Router> {
    let console = Arc::new(Console {
        token: Token::load_or_make(token_file)?,
        cookie: format!("redrabbit_console_{group}"),
        machine: gethostname::gethostname().to_string_lossy().into_owned(),
        registry,
        watchers: Arc::new(Semaphore::new(MAX_PAGES)),
        stop,
    });
    let guard = middleware::from_fn_with_state(Arc::clone(&console), guard::guard);
    Ok(Router::new()
        .route("/", get(|| file("text/html; charset=utf-8", INDEX)))
        .route(
            "/app.js",
            get(|| file("text/javascript; charset=utf-8", SCRIPT)),
        )
        .route("/app.css", get(|| file("text/css; charset=utf-8", STYLE)))
        .route("/rabbit.svg", get(|| file("image/svg+xml", MARK)))
        .route(
            "/licenses.txt",
            get(|| file("text/plain; charset=utf-8", LICENSES)),
        )
        .route("/console/state", get(state))
        .route("/console/events", get(events))
        .route_layer(guard)
        .with_state(console))
}

async fn file(content_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

async fn state(State(console): State<Arc<Console>>) -> Response {
    let mut shown = match console.registry.shown() {
        Ok(shown) => shown,
        Err(refused) => return unavailable(refused.message()),
    };
    // A master that has just started has shown nothing yet.
    let ready = shown.wait_for(Option::is_some).await;
    match ready.ok().and_then(|state| state.clone()) {
        Some(state) => Json(group_json(&state)).into_response(),
        None => unavailable("the master stops"),
    }
}

/// The whole state each second: who reads slowly misses what was in between.
async fn events(State(console): State<Arc<Console>>) -> Response {
    let Ok(watcher) = Arc::clone(&console.watchers).try_acquire_owned() else {
        return unavailable("too many pages of this console are open: close one of them");
    };
    let shown = match console.registry.shown() {
        Ok(shown) => shown,
        Err(refused) => return unavailable(refused.message()),
    };
    let events = WatchStream::new(shown).filter_map(async |state| {
        let text = group_json(state?.as_ref()).to_string();
        Some(Ok::<_, Infallible>(Event::default().data(text)))
    });
    // It is given back with the stream.
    let events = events.inspect(move |_| _ = &watcher);
    let events = events.take_until(console.stop.clone().cancelled_owned());
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

fn unavailable(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response()
}
