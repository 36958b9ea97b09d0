//! What the page asks its server: where the gate is, and the script.

use std::io;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::json;
use tracing::{info, warn};

use super::file::MAX_SCRIPT_BYTES;
use super::{Page, events, guard};

/// `/api/config` is open; everything else needs the token.
pub(super) fn api(page: &Arc<Page>) -> Router<Arc<Page>> {
    Router::new()
        .route("/api/script", get(script).put(save))
        .route("/api/events", get(events::stream))
        .route("/api/reload", post(reload))
        .route_layer(DefaultBodyLimit::max(MAX_SCRIPT_BYTES))
        .route_layer(middleware::from_fn_with_state(
            page.clone(),
            guard::only_with_token,
        ))
        .route("/api/config", get(config))
}

/// An answer that the page shows as it is.
pub(super) fn failure(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}

async fn config(State(page): State<Arc<Page>>) -> Response {
    Json(json!({ "websocket_port": page.backend.websocket_port() })).into_response()
}

async fn script(State(page): State<Arc<Page>>) -> Response {
    let content = match page.file.read().await {
        Ok(content) => content,
        Err(error) => return file_failure(&error, "read"),
    };
    let path = page.file.path();
    Json(json!({
        "source": content.source,
        "hash": content.hash,
        "name": path.file_name().unwrap_or(path.as_os_str()).to_string_lossy(),
        "path": path.to_string_lossy(),
        "can_reload": page.backend.reload().is_some(),
    }))
    .into_response()
}

/// Answers when the script has been loaded, or has failed to load.
async fn reload(State(page): State<Arc<Page>>) -> Response {
    let Some(reloaded) = page.backend.reload() else {
        return failure(
            StatusCode::NOT_IMPLEMENTED,
            "the script is loaded anew by what is said in the chat only",
        );
    };
    reloaded.await;
    StatusCode::NO_CONTENT.into_response()
}

/// Writes the script if it compiles and if the file is still what the editor
/// started from, whose hash `If-Match` carries.
async fn save(
    State(page): State<Arc<Page>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(basis) = entity_tag(&headers) else {
        return failure(
            StatusCode::PRECONDITION_REQUIRED,
            "If-Match must carry the hash of the script that was loaded",
        );
    };
    let body = match body {
        Ok(body) => body,
        Err(BytesRejection::FailedToBufferBody(error))
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE =>
        {
            let text = format!("a script may have {} KiB", MAX_SCRIPT_BYTES / 1024);
            return failure(StatusCode::PAYLOAD_TOO_LARGE, &text);
        }
        Err(error) => return failure(error.status(), "the script did not arrive whole"),
    };
    let Ok(source) = String::from_utf8(body.to_vec()) else {
        return failure(StatusCode::BAD_REQUEST, "the script is not UTF-8 text");
    };
    if let Err(problem) = page.backend.check(source.clone()).await {
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(problem)).into_response();
    }
    let writing = page.file.lock().await;
    match writing.hash().await {
        Ok(Some(now)) if now != basis => {
            return (StatusCode::CONFLICT, Json(json!({ "hash": now }))).into_response();
        }
        Ok(_) => {}
        Err(error) => return file_failure(&error, "read"),
    }
    match writing.replace(source).await {
        Ok(hash) => {
            info!(path = %page.file.path().display(), hash = &hash[..12], "script saved");
            Json(json!({ "hash": hash })).into_response()
        }
        Err(error) => file_failure(&error, "written"),
    }
}

/// The one entity tag of `If-Match`, without its quotes.
fn entity_tag(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::IF_MATCH)?
        .to_str()
        .ok()?
        .strip_prefix('"')?
        .strip_suffix('"')
}

fn file_failure(error: &io::Error, what: &str) -> Response {
    warn!(%error, "script file failed");
    let status = if error.kind() == io::ErrorKind::NotFound {
        StatusCode::NOT_FOUND
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    failure(status, &format!("The script could not be {what}: {error}"))
}
