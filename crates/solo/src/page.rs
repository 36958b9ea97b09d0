//! A game's page: the files of a folder, served beside the game's own group, so
//! that an example is one command and one address.
//!
//! Files are read when they are asked for, so a changed one shows when the page is
//! opened anew. Nothing outside of the folder is served, nor anything hidden in it.
//! Where the page listens on loopback it answers to loopback names alone, so that
//! no other name can be pointed at it.

use std::{
    future::IntoFuture,
    io,
    net::{IpAddr, SocketAddr},
    path::{Component, Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::Value;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::playground::called_as;

/// What a request that is under way at shutdown has left.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The server of a game's page, bound and ready to serve.
pub struct GamePage {
    listener: TcpListener,
    served: Arc<Served>,
    more: Router,
}

/// What every request may need.
struct Served {
    /// Absolute, without symbolic links.
    folder: PathBuf,
    address: SocketAddr,
    config: Value,
}

impl GamePage {
    /// Serves `folder`, whose page finds `config` at `/api/config`: in
    /// `websocket_port`, say, where a gate of the machine that it came from listens.
    ///
    /// # Errors
    /// There is no such folder, or the listener is none.
    pub fn build(listener: TcpListener, folder: &Path, config: Value) -> io::Result<GamePage> {
        let served = Arc::new(Served {
            folder: folder.canonicalize()?,
            address: listener.local_addr()?,
            config,
        });
        let more = Router::new();
        Ok(GamePage {
            listener,
            served,
            more,
        })
    }

    /// Answers to these, too, under the same rules.
    #[must_use]
    pub(crate) fn with(mut self, routes: Router) -> GamePage {
        self.more = self.more.merge(routes);
        self
    }

    /// Where to open the page.
    pub fn address(&self) -> String {
        format!("http://{}/", self.served.address)
    }

    /// Serves until `shutdown`; then gives what is under way two seconds.
    ///
    /// # Errors
    /// The listener's.
    pub async fn serve(self, shutdown: CancellationToken) -> io::Result<()> {
        let served = axum::serve(self.listener, router(self.served, self.more))
            .with_graceful_shutdown(shutdown.clone().cancelled_owned());
        let mut served = pin!(served.into_future());
        tokio::select! {
            ended = &mut served => return ended,
            () = shutdown.cancelled() => {}
        }
        timeout(LAST_WORDS, served).await.unwrap_or(Ok(()))
    }
}

fn router(served: Arc<Served>, more: Router) -> Router {
    let called = middleware::from_fn_with_state(served.clone(), only_by_its_name);
    Router::new()
        .route("/api/config", get(config))
        .fallback(get(file))
        .with_state(served)
        .merge(more)
        .layer(called)
        .layer(middleware::map_response(sealed))
}

async fn only_by_its_name(
    State(served): State<Arc<Served>>,
    request: Request,
    next: middleware::Next,
) -> Response {
    let (headers, address) = (request.headers(), served.address);
    let is_ours = !is_loopback(address.ip())
        || called_as(headers, address.port()).is_some()
        || is_called(headers, &address.to_string());
    if !is_ours {
        let text = "this page answers to loopback names with its own port only\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    next.run(request).await
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn is_called(headers: &HeaderMap, name: &str) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    hosts.next().is_some_and(|host| host == name) && hosts.next().is_none()
}

/// What the page cannot know by itself.
async fn config(State(served): State<Arc<Served>>) -> Response {
    Json(&served.config).into_response()
}

async fn file(State(served): State<Arc<Served>>, request: Request) -> Response {
    let found = match place(request.uri().path()) {
        Some(place) => tokio::task::spawn_blocking(move || read(&served.folder, &place)).await,
        None => Ok(None),
    };
    match found {
        Ok(Some((content_type, bytes))) => {
            ([(header::CONTENT_TYPE, content_type)], bytes).into_response()
        }
        _ => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    }
}

/// The file that a path of an address names, within its folder; none that is
/// hidden, and none elsewhere.
fn place(path: &str) -> Option<PathBuf> {
    let path = path.strip_prefix('/')?;
    let path = Path::new(if path.is_empty() { "index.html" } else { path });
    let is_plain = |part| match part {
        Component::Normal(name) => name.to_str().is_some_and(|name| !name.starts_with('.')),
        _ => false,
    };
    path.components().all(is_plain).then(|| path.to_owned())
}

/// A file's type and content, if a browser has a use for it.
fn read(folder: &Path, place: &Path) -> Option<(&'static str, Vec<u8>)> {
    let content_type = match place.extension()?.to_str()? {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "ico" => "image/x-icon",
        "jpg" | "jpeg" => "image/jpeg",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => return None,
    };
    // A link that leads out of the folder is not followed.
    let path = folder.join(place).canonicalize().ok()?;
    if !path.starts_with(folder) {
        return None;
    }
    Some((content_type, std::fs::read(path).ok()?))
}

/// Headers of every answer: kept nowhere, taken for nothing but what it says it
/// is, embedded by nobody, and asking nobody but us and a gate for anything.
async fn sealed(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; img-src 'self' data:; connect-src 'self' ws:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ];
    for (name, value) in HEADERS {
        let value = header::HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests;
