//! The least that a server on this machine can do, from one thread: each
//! connection's bytes go back as they come, and what is for everybody is written
//! to every socket, once.

use std::{cell::RefCell, io, net::SocketAddr, rc::Rc};

use anyhow::{Context, Result};
use protocol::client::HEAD_BYTES;
use tokio::{
    net::{TcpListener, TcpStream},
    task::LocalSet,
};

use super::broadcast::BROADCAST;

/// Everybody's socket.
type Clients = Rc<RefCell<Vec<Rc<TcpStream>>>>;

const READ_BYTES: usize = 16 * 1024;

/// Serves for ever.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    daemon::raise_file_limit()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let clients = Clients::default();
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let socket = Rc::new(socket);
            clients.borrow_mut().push(Rc::clone(&socket));
            tokio::task::spawn_local(serve_one(socket, Rc::clone(&clients)));
        }
    })
}

async fn serve_one(socket: Rc<TcpStream>, clients: Clients) {
    // However it ends: it is over.
    let _ = answer(&socket, &clients).await;
    let is_another = |other: &Rc<TcpStream>| !Rc::ptr_eq(other, &socket);
    clients.borrow_mut().retain(is_another);
}

async fn answer(socket: &TcpStream, clients: &Clients) -> Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        socket.readable().await?;
        let read = match socket.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(bytes) => &buffer[..bytes],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        };
        // Whoever broadcasts sends one frame and waits, so that it is whole.
        if read.get(4..6) == Some(&BROADCAST.to_le_bytes()) {
            let frames = frames(read).context("a frame without a number")?;
            for client in clients.borrow().iter() {
                client.try_write(&frames)?;
            }
            continue;
        }
        let mut written = 0;
        while written < read.len() {
            socket.writable().await?;
            match socket.try_write(&read[written..]) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// As many frames as the number says that the body begins with, each with its
/// own in that place.
fn frames(frame: &[u8]) -> Option<Vec<u8>> {
    let place = HEAD_BYTES..HEAD_BYTES + 4;
    let number = u32::from_le_bytes(*frame.get(place.clone())?.first_chunk()?);
    let mut frames = Vec::with_capacity(frame.len() * number as usize);
    for part in 0..number {
        let begin = frames.len();
        frames.extend_from_slice(frame);
        frames[begin..][place.clone()].copy_from_slice(&part.to_le_bytes());
    }
    Some(frames)
}
