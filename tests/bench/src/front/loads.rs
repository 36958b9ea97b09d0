//! The loads.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::tests::Histogram;
use anyhow::{Context, Result, bail};
use client::{Event, Session};
use futures_util::{Stream, StreamExt, stream};
use protocol::client::{HEAD_BYTES, compression::encode_compressed};
use tokio::{sync::Barrier, task::JoinSet, time::timeout};

use super::{Server, clients::Clients, measure};
use crate::gate::measured::Measured;

/// So many wait for their answer at once.
const PARALLEL: usize = 64;
/// How long anything may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// The script sends these back.
const ECHO: u16 = 1;

/// So many clients come, and all of them stay.
pub(super) async fn login(
    server: &Server,
    clients: &Clients<'_>,
    count: usize,
) -> Result<Measured> {
    clients.are_let_in().await?;
    let before = server.processes.usage()?;
    let begun = Instant::now();
    let mut latencies = Histogram::default();
    let mut there = Vec::with_capacity(count);
    let (there_ref, latencies_ref) = (&mut there, &mut latencies);
    timeout(PATIENCE, async move {
        let come = |number: usize| {
            let name = format!("c{number}");
            async move {
                let begun = Instant::now();
                let client = clients.client(&name).await?;
                anyhow::Ok((client, begun.elapsed()))
            }
        };
        let mut coming = futures(count, come);
        while let Some(one) = coming.next().await {
            let (client, waited) = one?;
            there_ref.push(client);
            latencies_ref.record(waited);
        }
        anyhow::Ok(())
    })
    .await
    .context("not all were let in")??;
    let seconds = begun.elapsed().as_secs_f64();
    measure(&latencies, count as u64, seconds, server, before)
}

/// `PARALLEL` of them at a time, until `count` are done.
fn futures<'a, F, T>(
    count: usize,
    make: impl Fn(usize) -> F + 'a,
) -> impl Stream<Item = T> + Unpin + 'a
where
    F: Future<Output = T> + 'a,
    T: 'a,
{
    Box::pin(stream::iter(0..count).map(make).buffer_unordered(PARALLEL))
}

/// So many sessions with so many messages each under way, for a while.
pub(super) async fn echo(
    server: &Server,
    clients: &Clients<'_>,
    (count, each): (usize, usize),
    body: usize,
    seconds: f64,
) -> Result<Measured> {
    clients.are_let_in().await?;
    let body: Arc<[u8]> = text(body).into();
    let begin = Arc::new(Barrier::new(count + 1));
    let mut talking = JoinSet::new();
    for number in 0..count {
        let session = clients.session(&format!("c{number}")).await?;
        let (begin, body) = (Arc::clone(&begin), Arc::clone(&body));
        talking.spawn(async move {
            begin.wait().await;
            talk(session, each, &body, Duration::from_secs_f64(seconds)).await
        });
    }
    let before = server.processes.usage()?;
    begin.wait().await;
    let begun = Instant::now();
    let (mut latencies, mut messages) = (Histogram::default(), 0);
    while let Some(one) = talking.join_next().await {
        let one = one??;
        messages += one.len();
        for latency in one {
            latencies.record(latency);
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    measure(&latencies, messages as u64, seconds, server, before)
}

/// Sends, and hears it back, until the time is over; how long each took.
async fn talk(
    mut session: Session,
    each: usize,
    body: &[u8],
    time: Duration,
) -> Result<Vec<Duration>> {
    let until = Instant::now() + time;
    let (mut sent, mut latencies) = (std::collections::VecDeque::new(), Vec::new());
    loop {
        while sent.len() < each && Instant::now() < until {
            session.send(ECHO, body).await?;
            sent.push_back(Instant::now());
        }
        if sent.is_empty() {
            return Ok(latencies);
        }
        match timeout(PATIENCE, session.recv())
            .await
            .context("no answer")??
        {
            Event::Message(_) => latencies.extend(sent.pop_front().map(|at| at.elapsed())),
            other => bail!("{other:?} in the middle of it"),
        }
    }
}

/// What games send: names and numbers, again and again, and never quite the same.
fn text(bytes: usize) -> Vec<u8> {
    let mut text = String::new();
    let mut number = 7u32;
    while text.len() < bytes {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (x, y) = (number >> 20, number >> 8 & 0xfff);
        text += &format!(
            "{{\"id\":{},\"x\":{x},\"y\":{y},\"state\":\"walks\"}},",
            number >> 24
        );
    }
    text.truncate(bytes);
    text.into_bytes()
}

/// Bytes of such a text, and what becomes of them.
pub(super) fn compressed(bytes: usize) -> (usize, usize) {
    let body = text(bytes);
    let frame = encode_compressed(ECHO, &body);
    (bytes, frame.map_or(bytes, |frame| frame.len() - HEAD_BYTES))
}

/// So many sessions lose their connection at the same moment; how long it takes until each
/// has said something over another one, and heard it back.
pub(super) async fn resume(
    server: &Server,
    clients: &Clients<'_>,
    count: usize,
) -> Result<Measured> {
    clients.are_let_in().await?;
    let cut = Arc::new(Barrier::new(count + 1));
    let mut sessions = JoinSet::new();
    for number in 0..count {
        let mut session = clients.session(&format!("c{number}")).await?;
        let cut = Arc::clone(&cut);
        sessions.spawn(async move {
            cut.wait().await;
            let begun = Instant::now();
            session.cut();
            session.send(ECHO, b"here again").await?;
            let mut is_back = false;
            loop {
                match timeout(PATIENCE, session.recv())
                    .await
                    .context("not back")??
                {
                    Event::Message(_) if is_back => break,
                    Event::Away => {}
                    Event::Back => is_back = true,
                    other => bail!("{other:?} instead of coming back"),
                }
            }
            Ok((session, begun.elapsed()))
        });
    }
    let before = server.processes.usage()?;
    cut.wait().await;
    let begun = Instant::now();
    let (mut latencies, mut there) = (Histogram::default(), Vec::new());
    while let Some(one) = sessions.join_next().await {
        let (session, waited) = one??;
        latencies.record(waited);
        there.push(session);
    }
    let seconds = begun.elapsed().as_secs_f64();
    measure(&latencies, count as u64, seconds, server, before)
}
