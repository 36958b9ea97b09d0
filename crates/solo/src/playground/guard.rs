//! Who may speak to the playground: browsers that opened our own page under a
//! loopback name. A page of another site can send requests to loopback too, and
//! a name of its own can be made to point here; both show in the headers.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Page;
use super::routes::failure;

/// The names under which this machine may be called, as a `Host` header has them.
const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// The name by which the browser called us, one of the loopback names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CalledAs(pub(super) &'static str);

/// Lets a request through if its headers say that it is for us and of our page.
pub(super) async fn only_our_page(
    State(page): State<Arc<Page>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(called_as) = called_as(request.headers(), page.port) else {
        let text = "the playground answers to loopback names with its own port only";
        return failure(StatusCode::MISDIRECTED_REQUEST, text);
    };
    if !is_same_origin(request.headers(), called_as, page.port) {
        return failure(
            StatusCode::FORBIDDEN,
            "the playground answers to its own page only",
        );
    }
    request.extensions_mut().insert(called_as);
    next.run(request).await
}

/// Lets a request through if it carries the token.
pub(super) async fn only_with_token(
    State(page): State<Arc<Page>>,
    request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    if given.is_some_and(|given| page.token.admits(given.as_bytes())) {
        return next.run(request).await;
    }
    let text = "this needs the token of the address that the demo printed when it started";
    let mut refusal = failure(StatusCode::UNAUTHORIZED, text).into_response();
    refusal.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        header::HeaderValue::from_static("Bearer"),
    );
    refusal
}

/// By which loopback name, and our own port, we were called, if by any.
pub(crate) fn called_as(headers: &HeaderMap, port: u16) -> Option<CalledAs> {
    let host = only_value(headers, header::HOST)?;
    let (name, given_port) = host.rsplit_once(':')?;
    let name = LOOPBACK_NAMES
        .into_iter()
        .find(|known| name.eq_ignore_ascii_case(known))?;
    (given_port == port.to_string()).then_some(CalledAs(name))
}

/// Browsers leave `Origin` out of plain look-ups of the same site, and other
/// programs know none.
fn is_same_origin(headers: &HeaderMap, called_as: CalledAs, port: u16) -> bool {
    if !headers.contains_key(header::ORIGIN) {
        return true;
    }
    only_value(headers, header::ORIGIN) == Some(&format!("http://{}:{port}", called_as.0))
}

/// The header's text if it is there once; two of them would leave open which
/// one a check has seen.
fn only_value(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        None
    } else {
        value.to_str().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, header::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn loopback_names_with_our_port_are_ours() {
        for host in [
            "127.0.0.1:10240",
            "localhost:10240",
            "LocalHost:10240",
            "[::1]:10240",
        ] {
            assert!(
                called_as(&headers(&[(header::HOST, host)]), 10240).is_some(),
                "{host}"
            );
        }
    }

    #[test]
    fn every_other_host_is_foreign() {
        for host in [
            "evil.example:10240",
            "localhost.evil.example:10240",
            "127.0.0.1:10241",
            "127.0.0.1:010240",
            "127.0.0.1",
            "localhost",
            "127.0.0.2:10240",
            "user@127.0.0.1:10240",
            "",
        ] {
            assert_eq!(
                called_as(&headers(&[(header::HOST, host)]), 10240),
                None,
                "{host}"
            );
        }
        let twice = [
            (header::HOST, "127.0.0.1:10240"),
            (header::HOST, "evil.example:10240"),
        ];
        assert_eq!(called_as(&headers(&twice), 10240), None);
        assert_eq!(called_as(&HeaderMap::new(), 10240), None);
    }

    #[test]
    fn origin_must_be_the_very_page() {
        let ours = CalledAs("127.0.0.1");
        assert!(is_same_origin(&HeaderMap::new(), ours, 10240));
        assert!(is_same_origin(
            &headers(&[(header::ORIGIN, "http://127.0.0.1:10240")]),
            ours,
            10240
        ));
        for origin in [
            "null",
            "http://localhost:10240",
            "https://127.0.0.1:10240",
            "http://127.0.0.1:3000",
            "http://evil.example",
        ] {
            assert!(
                !is_same_origin(&headers(&[(header::ORIGIN, origin)]), ours, 10240),
                "{origin}"
            );
        }
    }
}
