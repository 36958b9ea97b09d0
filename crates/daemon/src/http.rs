//! What operators' tools ask a daemon over HTTP: `/metrics`, `/healthz`,
//! `/readyz`.
//!
//! It is plain HTTP without any authentication, for an address that only
//! operators reach. It says nothing that a client sent.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, info};

use crate::{BindError, ListenSite, Metrics, Readiness, bind};

/// The HTTP pages being served; dropping it ends them.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    pages: JoinHandle<()>,
    stop: DropGuard,
}

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
    let router = router(readiness, metrics.clone());
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

    /// Stops listening and lets requests under way finish within `grace`.
    pub async fn stop(self, grace: Duration) {
        drop(self.stop);
        let mut pages = self.pages;
        if tokio::time::timeout(grace, &mut pages).await.is_err() {
            pages.abort();
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
