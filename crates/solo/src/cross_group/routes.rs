//! What the page may ask for.

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

/// The bridge is to be up, or not.
pub(super) struct Order {
    pub(super) up: bool,
    done: oneshot::Sender<()>,
}

impl Order {
    /// It has been done.
    pub(super) fn done(self) {
        // Whoever asked may have gone.
        let _ = self.done.send(());
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    up: bool,
}

/// `POST /api/bridge` with `{"up": false}` takes the bridge down. Pages of other sites
/// cannot: browsers ask us before they let them send JSON, and we do not answer that.
pub(super) fn bridge(orders: mpsc::Sender<Order>) -> Router {
    Router::new()
        .route("/api/bridge", post(order))
        .with_state(orders)
}

async fn order(State(orders): State<mpsc::Sender<Order>>, Json(wish): Json<Wish>) -> StatusCode {
    let (done, is_done) = oneshot::channel();
    let order = Order { up: wish.up, done };
    if orders.try_send(order).is_err() {
        return StatusCode::TOO_MANY_REQUESTS;
    }
    match is_done.await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::page::GamePage;

    /// What the page's server answers to this, and whether `orders` got something.
    async fn answer(content_type: &str, body: &str) -> (String, Option<bool>) {
        let (orders, mut orders_rx) = mpsc::channel(1);
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let page = GamePage::build(listener, folder.path(), serde_json::json!({})).unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(page.with(bridge(orders)).serve(stop.clone()));
        let request = format!(
            "POST /api/bridge HTTP/1.1\r\nHost: {address}\r\nContent-Type: {content_type}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let asking = async {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            stop.cancel();
            serving.await.unwrap().unwrap();
            answer
        };
        let doing = async {
            let order = orders_rx.recv().await?;
            let up = order.up;
            order.done();
            Some(up)
        };
        let (answer, done) = tokio::join!(asking, doing);
        let (head, _) = answer.split_once("\r\n").unwrap();
        (head.to_owned(), done)
    }

    #[tokio::test]
    async fn the_page_is_answered_when_it_is_done() {
        let (head, done) = answer("application/json", "{\"up\": false}").await;
        assert_eq!(
            (head.as_str(), done),
            ("HTTP/1.1 204 No Content", Some(false))
        );
    }

    /// What a page of another site may send without asking first is none of these.
    #[tokio::test]
    async fn what_other_sites_can_send_does_nothing() {
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ] {
            let (head, done) = answer(content_type, "{\"up\": false}").await;
            assert_eq!(
                (head.as_str(), done),
                ("HTTP/1.1 415 Unsupported Media Type", None)
            );
        }
    }

    #[tokio::test]
    async fn nonsense_is_refused() {
        for body in ["", "{}", "{\"up\": 1}", "{\"up\": true, \"more\": 1}"] {
            let (head, done) = answer("application/json", body).await;
            assert!(head.starts_with("HTTP/1.1 4"), "{head}");
            assert_eq!(done, None);
        }
    }
}
