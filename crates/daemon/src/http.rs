//! What operators' tools ask a daemon over HTTP: `/metrics`, `/healthz`,
//! `/readyz`.
//!
//! It is plain HTTP without any authentication, for an address that only
//! operators reach. It says nothing that a client sent. A daemon may show pages of its
//! own there, and asks itself who may see them.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;
use tracing::{error, info};

use crate::{BindError, ListenSite, Metrics, Readiness, bind};

/// The HTTP pages being served; dropping it ends them.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    own: OwnPages,
    pages: JoinHandle<()>,
    stop: DropGuard,
}

/// Pages of a daemon's own, beside those of every daemon.
#[derive(Clone, Debug, Default)]
pub struct OwnPages(Arc<OnceLock<Router>>);

/// How often histograms are folded.
const FOLD_EVERY: Duration = Duration::from_secs(5);

/// The type of Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves the pages on `address`, from now on until the answer is dropped or
/// stopped. Must be called within a tokio runtime.
///
/// # Errors
/// [`BindError`] when nothing can listen there.
pub fn serve(
    address: SocketAddr,
    site: &ListenSite,
    readiness: Readiness,
) -> Result<HttpServer, BindError> {
    let listener = bind(address, site)?;
    let address = listener.local_addr().unwrap_or(address);
    let metrics = Metrics::install();
    let own = OwnPages::default();
    let fallback = own.clone();
    let router = router(readiness, metrics.clone())
        .fallback(async move |request: Request| fallback.answer(request).await);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let pages = tokio::spawn(async move {
        let serving =
            axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned());
        tokio::select! {
            served = serving.into_future() => {
                if let Err(error) = served {
                    error!(%error, "http pages ended");
                }
            }
            () = fold_for_ever(metrics) => {}
        }
    });
    info!(%address, "serving http pages");
    Ok(HttpServer {
        address,
        own,
        pages,
        stop: stop.drop_guard(),
    })
}

/// The pages themselves, for a daemon that serves more than these: merge it
/// into its own router.
pub fn router(readiness: Readiness, metrics: Metrics) -> Router {
    let ready = move || {
        let code = if readiness.is_ready() {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let line = format!("{}\n", readiness.as_str());
        async move { (code, line) }
    };
    let metrics = move || {
        let text = metrics.to_text();
        async move { ([(CONTENT_TYPE, METRICS_TYPE)], text) }
    };
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

impl HttpServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where pages of the daemon's own go.
    pub fn own_pages(&self) -> OwnPages {
        self.own.clone()
    }

    /// Stops listening and lets requests under way finish within `grace`.
    pub async fn stop(self, grace: Duration) {
        drop(self.stop);
        let mut pages = self.pages;
        if tokio::time::timeout(grace, &mut pages).await.is_err() {
            pages.abort();
        }
    }
}

impl OwnPages {
    /// Shows these from now on. Only the first call counts.
    pub fn mount(&self, pages: Router) {
        let _ = self.0.set(pages);
    }

    async fn answer(&self, request: Request) -> Response {
        let Some(pages) = self.0.get() else {
            return StatusCode::NOT_FOUND.into_response();
        };
        match pages.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

async fn fold_for_ever(metrics: Metrics) {
    let mut ticks = tokio::time::interval(FOLD_EVERY);
    loop {
        ticks.tick().await;
        metrics.fold();
    }
}
