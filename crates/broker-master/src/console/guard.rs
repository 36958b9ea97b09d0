//! Who may look at the console: whoever shows the token, to a name that is ours.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use serde_json::json;

use super::http::Console;

/// What a browser is told with every answer: nothing but our own files, no frames
/// around us, no guesses at what a file is.
const HEADERS: [(header::HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// What is said to who shows no token, or a wrong one.
const REFUSED: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <title>RedRabbit console</title><h1>This needs the console's token</h1>\
    <p>On the machine of the group's master, <code>redrabbit console</code> prints the \
    address with the token in it.</p></html>\n";

/// The same to a program.
const NO_TOKEN: &str = "this needs the console's token: on the machine of the group's master, \
    `redrabbit console` prints it";

/// Lets a request through that is for us and carries the token.
pub(super) async fn guard(
    State(console): State<Arc<Console>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = admit(&console, request, next).await;
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn admit(console: &Console, request: Request, next: Next) -> Response {
    if !is_ours(request.headers(), &console.machine) {
        let text = "the console is reached by an IP address, localhost or its machine's name\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    if let Some(given) = token_in(request.uri()).filter(|given| console.token.is(given)) {
        // Into a cookie for this page alone; the page takes it out of the address bar. A
        // browser that was led here by another site would not send it after a redirect.
        let cookie = format!(
            "{}={given}; Path=/; HttpOnly; SameSite=Strict",
            console.cookie
        );
        let response = next.run(request).await;
        return ([(header::SET_COOKIE, cookie)], response).into_response();
    }
    let headers = request.headers();
    let shown = bearer(headers).or_else(|| cookie(headers, &console.cookie));
    if shown.is_some_and(|shown| console.token.is(shown)) {
        return next.run(request).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    match request.uri().path().starts_with("/console/") {
        // A program asks.
        true => (
            StatusCode::UNAUTHORIZED,
            challenge,
            Json(json!({"error": NO_TOKEN})),
        )
            .into_response(),
        false => (StatusCode::UNAUTHORIZED, challenge, Html(REFUSED)).into_response(),
    }
}

/// Whether we were called by a name that nobody else can make point here: a page of
/// another site can, with a name of its own.
fn is_ours(headers: &HeaderMap, machine: &str) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Some(name) = host.to_str().ok().and_then(host_name) else {
        return false;
    };
    let name = name.trim_end_matches('.');
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || (!machine.is_empty() && name.eq_ignore_ascii_case(machine))
}

/// Without the port, and without the brackets of an IPv6 address.
fn host_name(host: &str) -> Option<&str> {
    if let Some(rest) = host.strip_prefix('[') {
        return Some(rest.split_once(']')?.0);
    }
    Some(host.rsplit_once(':').map_or(host, |(name, _)| name))
}

fn token_in(uri: &Uri) -> Option<&str> {
    let mut pairs = uri.query()?.split('&');
    pairs.find_map(|pair| pair.strip_prefix("token="))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    given.strip_prefix("Bearer ")
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(hosts: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        headers
    }

    #[test]
    fn addresses_localhost_and_the_machine_itself_are_ours() {
        for host in [
            "127.0.0.1:10341",
            "10.0.0.7:80",
            "[::1]:10341",
            "localhost:8000",
            "LOCALHOST",
            "one:10341",
        ] {
            assert!(is_ours(&hosts(&[host]), "one"), "{host}");
        }
    }

    #[test]
    fn names_that_anybody_can_make_point_here_are_not() {
        for host in [
            "evil.example:10341",
            "localhost.evil.example",
            "127.0.0.1.evil.example:10341",
            "user@127.0.0.1",
            "[::1",
            "",
        ] {
            assert!(!is_ours(&hosts(&[host]), "one"), "{host}");
        }
        assert!(!is_ours(&hosts(&["127.0.0.1", "evil.example"]), "one"));
        assert!(!is_ours(&HeaderMap::new(), "one"));
        assert!(!is_ours(&hosts(&[":1"]), ""));
    }

    #[test]
    fn a_token_is_found_in_the_address_the_header_and_the_cookie() {
        let uri: Uri = "/?a=b&token=xyz".parse().unwrap();
        assert_eq!(token_in(&uri), Some("xyz"));
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b; redrabbit_x=one".parse().unwrap());
        headers.append(header::COOKIE, "redrabbit_y=two".parse().unwrap());
        assert_eq!(cookie(&headers, "redrabbit_x"), Some("one"));
        assert_eq!(cookie(&headers, "redrabbit_y"), Some("two"));
        assert_eq!(cookie(&headers, "redrabbit"), None);
        assert_eq!(bearer(&headers), None);
        headers.append(header::AUTHORIZATION, "Bearer abc".parse().unwrap());
        assert_eq!(bearer(&headers), Some("abc"));
    }
}
