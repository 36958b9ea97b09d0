//! A process on one side of a load.

use anyhow::{Context, Result};
use tokio::time::timeout;

use crate::{
    job::{Job, READY, Side},
    load::Meter,
    peer,
};

/// Does the job that is given as JSON.
pub(crate) fn run(job: &str) -> Result<()> {
    let job: Job = serde_json::from_str(job).context("the job cannot be read")?;
    daemon::raise_file_limit().context("cannot raise the limit of open files")?;
    // One thread for each side: brokers are compared, not the sides, and two
    // threads here would take turns with the broker's on a small machine.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let limit = job.limit();
        let work = async {
            match job.side {
                Side::Responder => respond(&job).await,
                Side::Requester => request(&job).await,
            }
        };
        timeout(limit, work)
            .await
            .with_context(|| format!("not done within {limit:?}"))?
    })
}

async fn respond(job: &Job) -> Result<()> {
    let mut running = peer::respond(job).await?;
    println!("{READY}");
    Err(running.failed().await)
}

async fn request(job: &Job) -> Result<()> {
    // Calls that are under way when it ends still point to it.
    let meter: &'static Meter = Box::leak(Box::default());
    let mut running = peer::request(job, meter).await?;
    let measured = tokio::select! {
        measured = meter.measure(job) => measured?,
        error = running.failed() => return Err(error),
    };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}
