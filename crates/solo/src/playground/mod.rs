//! The playground: a page with a chat on one side and the running script in an
//! editor on the other, served on loopback by the demo and by nothing else.
//!
//! Writing the script is running code on this machine, so every door is narrow:
//! - a listener that is not on loopback is refused;
//! - a request must name a loopback host with our port, so that no foreign
//!   name can be pointed at us, and must come from our own page if it says
//!   where it comes from (`guard`);
//! - whatever reads or writes the script needs a token that is made at each
//!   start and printed as part of the address, in the fragment, which browsers
//!   keep to themselves (`token`).
//!
//! The chat itself does not pass through here: the page speaks to the gate's
//! WebSocket like any client.

mod assets;
mod backend;
mod events;
mod file;
mod guard;
mod routes;
#[cfg(test)]
mod tests;
mod token;

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use backend::{Backend, Checked, Problem, Reloaded, Status};

pub(crate) use guard::called_as;

use file::ScriptFile;
use token::Token;

/// What a request that is under way at shutdown has left.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The server of the page, bound and ready to serve.
pub struct Playground {
    listener: TcpListener,
    address: SocketAddr,
    page: Arc<Page>,
}

/// What every request may need.
struct Page {
    backend: Arc<dyn Backend>,
    file: ScriptFile,
    token: Token,
    port: u16,
    shutdown: CancellationToken,
}

impl Playground {
    /// Takes a listener, which must be on loopback, and makes a new token.
    pub fn build(listener: TcpListener, backend: Arc<dyn Backend>) -> io::Result<Playground> {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "the playground lets its page run code, so it listens on loopback only, not on {address}"
                ),
            ));
        }
        let file = ScriptFile::new(backend.script_path());
        let page = Page {
            backend,
            file,
            token: Token::random(),
            port: address.port(),
            shutdown: CancellationToken::new(),
        };
        Ok(Playground {
            listener,
            address,
            page: Arc::new(page),
        })
    }

    /// Where to open the page. It holds the token: for the person who started
    /// the demo, and for no log.
    pub fn address(&self) -> String {
        format!(
            "http://{}/#token={}",
            self.address,
            self.page.token.expose()
        )
    }

    /// Serves until `shutdown`; then ends the event streams, gives what is
    /// under way two seconds to finish, and returns.
    pub async fn serve(self, shutdown: CancellationToken) -> io::Result<()> {
        let stop = self.page.shutdown.clone();
        let served = axum::serve(self.listener, router(self.page))
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let mut served = pin!(served.into_future());
        tokio::select! {
            ended = &mut served => return ended,
            () = shutdown.cancelled() => stop.cancel(),
        }
        timeout(LAST_WORDS, served).await.unwrap_or(Ok(()))
    }
}

fn router(page: Arc<Page>) -> Router {
    let guarded = middleware::from_fn_with_state(page.clone(), guard::only_our_page);
    assets::routes()
        .merge(routes::api(&page))
        .layer(guarded)
        .layer(middleware::map_response(assets::sealed))
        .with_state(page)
}
