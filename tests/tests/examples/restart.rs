//! What the guild's README says of its server's restart.

use tests::{Signal, eventually};

use crate::{stage::Stage, terminal::Terminal};

/// The process of a node, as `redrabbit up` has named it last.
fn process_of(node: &str, log: &str) -> Option<i32> {
    let (_, rest) = log.rsplit_once(&format!("{node} started as process "))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[tokio::test]
async fn guilds_outlive_a_restart_of_their_server_and_towns_go_on() {
    let stage = Stage::new();
    let mut words = stage.readme("guild").command("up").unwrap();
    words.insert(0, "--restart".to_owned());
    let group = stage.redrabbit("up", &words);
    let play = ["python3", "crates/scene-host/examples/play.py", "hazel"].map(str::to_owned);
    let mut hazel = Terminal::open(&stage, &play).await;
    hazel.types("1 \"warren\"");
    hazel.reads("1 \"hazel joins warren: hazel\"");

    let server = process_of("scene@2", &group.log()).unwrap();
    let server = rustix::process::Pid::from_raw(server).unwrap();
    rustix::process::kill_process(server, Signal::TERM).unwrap();
    eventually("the server ends", async || {
        group.log().contains("scene@2 has ended").then_some(())
    })
    .await;
    hazel.types("3");
    hazel.reads("1 \"The guild hall is closed.\"");
    eventually("the guild is there again", async || {
        hazel.types("3");
        hazel.has_read("1 \"warren: hazel\"").then_some(())
    })
    .await;
}
