//! The page itself: built by `npm run build` in `playground/` and embedded, so
//! that neither building nor running the demo needs node or a network.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Page;
use super::guard::CalledAs;

const INDEX: &str = include_str!("../../playground/dist/index.html");
const SCRIPT: &str = include_str!("../../playground/dist/app.js");
const STYLE: &str = include_str!("../../playground/dist/app.css");
const MARK: &str = include_str!("../../playground/dist/rabbit.svg");
const LICENSES: &str = include_str!("../../playground/dist/licenses.txt");

/// Where the page has the nonce that its editor puts on its style element.
const NONCE_PLACE: &str = "{{nonce}}";

pub(super) fn routes() -> Router<Arc<Page>> {
    Router::new()
        .route("/", get(index))
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
}

async fn index(
    State(page): State<Arc<Page>>,
    Extension(called_as): Extension<CalledAs>,
) -> Response {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = content_security_policy(&nonce, called_as.0, page.backend.websocket_port());
    let html = INDEX.replace(NONCE_PLACE, &nonce);
    (
        [
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        ],
        html,
    )
        .into_response()
}

async fn file(content_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

/// Our own files and the gate's WebSocket, and nothing else. The editor writes
/// one style element at run time, which carries the nonce.
fn content_security_policy(nonce: &str, host: &str, websocket_port: u16) -> String {
    // A policy has no way to name an IPv6 address.
    let gate = if host.starts_with('[') {
        "ws:".to_owned()
    } else {
        format!("ws://{host}:{websocket_port}")
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self'; \
         connect-src 'self' {gate}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// Headers of every answer: kept nowhere, taken for nothing but what it says
/// it is, embedded by nobody.
pub(super) async fn sealed(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 6] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_has_one_place_for_the_nonce_and_no_inline_code() {
        assert_eq!(INDEX.matches(NONCE_PLACE).count(), 1);
        assert!(
            INDEX.contains(r#"<script type="module" src="/app.js" nonce="{{nonce}}"></script>"#)
        );
        assert_eq!(INDEX.matches("<script").count(), 1);
        assert!(
            !INDEX.contains("<style") && !INDEX.contains("style=") && !INDEX.contains("onclick=")
        );
    }

    #[test]
    fn page_asks_no_other_host_for_anything() {
        let addresses =
            |text: &str| text.matches("src=\"http").count() + text.matches("href=\"http").count();
        assert_eq!(addresses(INDEX), 0);
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
