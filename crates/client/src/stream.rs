//! A connection's bytes, through TLS or not.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, ToSocketAddrs},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Address, ClientError};

pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects, and shakes hands where the address asks for TLS.
pub(crate) async fn connect(address: &Address) -> Result<Stream, ClientError> {
    let socket = socket((address.host(), address.port())).await?;
    if !address.scheme().is_encrypted() {
        return Ok(Stream::Plain(socket));
    }
    let name = ServerName::try_from(address.host().to_owned());
    let name = name.map_err(|_| ClientError::Address {
        url: address.url().to_owned(),
    })?;
    let connector = TlsConnector::from(address.trust().config()?);
    let socket = connector
        .connect(name, socket)
        .await
        .map_err(|error| match error.get_ref() {
            Some(inner) if inner.is::<rustls::Error>() => ClientError::Tls(error),
            _ => ClientError::Io(error),
        })?;
    Ok(Stream::Tls(Box::new(socket)))
}

/// Connects without TLS.
pub(crate) async fn connect_tcp(address: impl ToSocketAddrs) -> Result<Stream, ClientError> {
    socket(address).await.map(Stream::Plain)
}

async fn socket(address: impl ToSocketAddrs) -> Result<TcpStream, ClientError> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Stream::Tls(socket) => Pin::new(&mut **socket).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Stream::Tls(socket) => Pin::new(&mut **socket).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Stream::Tls(socket) => Pin::new(&mut **socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Stream::Tls(socket) => Pin::new(&mut **socket).poll_shutdown(cx),
        }
    }
}
