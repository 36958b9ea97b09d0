//! What READMEs show in terminals is what is seen there.

use crate::{
    mariadb::MariaDb,
    readme::{Line, Transcript},
    stage::Stage,
    terminal::Terminal,
};

/// Where a README's text has what is not known before, and stands again later.
const TICKET: &str = "TICKET";

#[tokio::test]
async fn accounts_goes_as_its_readme_says() {
    goes_as_its_readme_says("accounts", &Stage::new()).await;
}

#[tokio::test]
async fn chat_goes_as_its_readme_says() {
    goes_as_its_readme_says("chat", &Stage::new()).await;
}

#[tokio::test]
async fn database_goes_as_its_readme_says() {
    let (stage, server) = (Stage::new(), MariaDb::start().await);
    let script = "crates/scene-host/examples/database/db.py";
    stage.put(
        "mysql://game:carrots@127.0.0.1:3306/game",
        server.url(),
        script,
    );
    goes_as_its_readme_says("database", &stage).await;
}

#[tokio::test]
async fn door_goes_as_its_readme_says() {
    goes_as_its_readme_says("door", &Stage::new()).await;
}

#[tokio::test]
async fn guild_goes_as_its_readme_says() {
    goes_as_its_readme_says("guild", &Stage::new()).await;
}

/// Starts the group with the README's command and plays all of its terminals, one
/// after the other; each stays open to the end. Then it reloads what the README does.
async fn goes_as_its_readme_says(example: &str, stage: &Stage) {
    let readme = stage.readme(example);
    let _group = stage.redrabbit("up", &readme.command("up").expect("a group to start"));
    let transcripts = readme.transcripts();
    assert!(!transcripts.is_empty(), "{example} shows no terminal");
    let (mut open, mut ticket) = (Vec::new(), String::new());
    for Transcript { command, lines } in transcripts {
        let command: Vec<_> = command
            .iter()
            .map(|word| word.replace(TICKET, &ticket))
            .collect();
        let mut terminal = Terminal::open(stage, &command).await;
        for line in lines {
            match line {
                Line::Typed(line) => terminal.types(&line),
                Line::Printed(line) => match line.split_once(TICKET) {
                    Some((before, after)) => {
                        let line = terminal.reads(&format!("{before}…{after}"));
                        ticket = line[before.len()..line.len() - after.len()].to_owned();
                    }
                    None => drop(terminal.reads(&line)),
                },
            }
        }
        open.push(terminal);
    }
    if let Some(reload) = readme.command("reload") {
        let output = stage.ends("reload", &reload);
        assert!(output.status.success(), "{output:?}");
    }
}
