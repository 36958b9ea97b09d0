//! What a scene hands its successor, and what becomes of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use scene_host::{Event, Verdict};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::stage::{PATIENCE, Stage, alone, log, logged, messages};

/// A folder for state, which outlives a stage.
struct State(TempDir);

impl State {
    fn new() -> State {
        State(TempDir::new().unwrap())
    }

    /// With a snapshot that an earlier process has left.
    fn with(kind: &str, version: &str, value: &str) -> State {
        let state = State::new();
        state.leave(&snapshot(kind, version, value));
        state
    }

    fn leave(&self, content: &[u8]) {
        let file = self.file("snapshot");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    async fn start(&self, source: &str) -> Stage {
        let folder = self.0.path().to_owned();
        Stage::start_as(source, |config| config.state_dir = Some(folder)).await
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join("scene@0").join(name)
    }

    /// The names of the files in it.
    fn files(&self) -> Vec<String> {
        names(&self.0.path().join("scene@0"))
    }

    /// What the file says before its value, and the value.
    fn written(&self) -> (serde_json::Value, String) {
        let content = fs::read_to_string(self.file("snapshot")).unwrap();
        let mut lines = content.splitn(3, '\n');
        assert!(lines.next().unwrap().starts_with("redrabbit snapshot 1 "));
        let head = serde_json::from_str(lines.next().unwrap()).unwrap();
        (head, lines.next().unwrap().to_owned())
    }
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn snapshot(kind: &str, version: &str, value: &str) -> Vec<u8> {
    let rest = format!(
        "{{\"kind\":\"{kind}\",\"version\":{version},\"script\":\"\",\"taken_at\":1700000000}}\n{value}"
    );
    let sum: String = Sha256::digest(&rest)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("redrabbit snapshot 1 {sum}\n{rest}").into_bytes()
}

/// Tells what it was given.
const RESTORES: &str = r#"
    import ffext
    world = None
    @ffext.restore
    def load(value, version):
        global world
        world = [value, version]
    @ffext.session_call(1)
    def tell(session, message):
        ffext.send_msg_session(session, 1, world)
"#;

async fn told(stage: &mut Stage) -> String {
    stage.enter("ann", 1);
    stage.frame(1, 1, "null");
    stage.messages(1).await.remove(0)
}

#[test]
fn a_snapshot_is_taken_when_sessions_have_left_and_handlers_are_done() {
    alone(|| async {
        let state = State::new();
        let source = r#"
            import ffext, asyncio
            seen = []
            @ffext.session_offline_callback
            async def offline(session, online_time):
                await asyncio.sleep(0.02)
                seen.append(session)
            @ffext.session_call(1, concurrent=True)
            async def slow(session, message):
                await asyncio.sleep(0.05)
                seen.append(message)
            @ffext.snapshot(version=3)
            async def save():
                await asyncio.sleep(0.01)
                return {'seen': sorted(seen)}
        "#;
        let mut stage = state.start(source).await;
        stage.enter("a", 1);
        stage.frame(1, 1, "\"frame\"");
        stage.frame(1, 2, "null");
        stage.finished(1).await;
        assert!(stage.stop().await);
        let (head, value) = state.written();
        assert_eq!(value, r#"{"seen":["a","frame"]}"#, "{}", log());
        assert_eq!(
            (&head["kind"], &head["version"]),
            (&"json".into(), &3.into())
        );
        assert_eq!(head["script"].as_str().unwrap().len(), 12);
        assert_eq!(state.files(), ["snapshot"]);
    });
}

#[test]
fn nobody_is_let_in_before_the_script_has_its_state_back() {
    alone(|| async {
        let state = State::with("json", "7", "{\"gold\":12345678901234567890}");
        let source = r#"
            import ffext, asyncio
            world = None
            @ffext.restore
            async def load(value, version):
                global world
                await asyncio.sleep(0.05)
                world = [value, version]
            @ffext.session_verify_callback
            def verify(session_key, online_time, ip, gate_name):
                assert world is not None
                return [session_key]
            @ffext.session_call(1)
            def tell(session, message):
                ffext.send_msg_session(session, 1, str(world))
        "#;
        // It does not load at first: others know the scene by the time that it does.
        let mut stage = state.start("1 / 0").await;
        assert_eq!(state.files(), ["snapshot"]);
        stage.write(source);
        let handle = stage.host.handle();
        let reload = tokio::spawn(async move { handle.reload(None).await.text });
        logged("script loaded").await;
        let verdict = stage.verify("ann").await;
        assert!(matches!(verdict, Verdict::Accepted { .. }), "{verdict:?}");
        assert_eq!(
            told(&mut stage).await,
            "1/1: \"[{'gold': 12345678901234567890}, 7]\""
        );
        assert!(reload.await.unwrap().starts_with("ok: main version 1"));
        assert_eq!(state.files(), ["snapshot.restored"]);
        assert!(stage.stop().await);
    });
}

#[test]
fn a_snapshot_is_restored_once_and_by_no_reload() {
    alone(|| async {
        let state = State::with("bytes", "null", "\u{1}raw");
        let source = r#"
            import ffext
            class World:
                restored = 0
            world = ffext.singleton(World)
            @ffext.restore
            def load(value):
                world.restored += 1
                world.value = value
            @ffext.session_call(1)
            def tell(session, message):
                ffext.send_msg_session(session, 1, [world.restored, world.value.hex()])
        "#;
        let mut stage = state.start(source).await;
        state.leave(&snapshot("bytes", "null", "another"));
        stage.write(&format!("{source}\n"));
        assert!(stage.reload().await.starts_with("ok"));
        assert_eq!(told(&mut stage).await, "1/1: [1,\"01726177\"]");
        // One that is not used is left, until this scene takes one of its own.
        assert_eq!(state.files(), ["snapshot", "snapshot.restored"]);
        assert!(stage.stop().await);
    });
}

#[test]
fn what_does_not_load_is_kept_aside_and_the_scene_runs_on() {
    alone(|| async {
        let state = State::new();
        let good = snapshot("json", "1", "[1, 2, 3]");
        let mut damaged = good.clone();
        *damaged.last_mut().unwrap() ^= 1;
        state.leave(&damaged);
        let mut stage = state.start(RESTORES).await;
        assert_eq!(told(&mut stage).await, "1/1: null");
        assert_eq!(state.files(), ["snapshot.failed"]);
        assert_eq!(fs::read(state.file("snapshot.failed")).unwrap(), damaged);
        logged("snapshot not used").await;
        assert!(log().contains("it is damaged: its checksum is another"));
        assert!(log().contains("scene@0/snapshot.failed"), "{}", log());
        assert!(stage.stop().await);
    });
}

#[test]
fn a_snapshot_of_a_newer_program_is_kept_aside() {
    alone(|| async {
        let state = State::new();
        state.leave(b"redrabbit snapshot 2 whatever\n");
        let mut stage = state.start(RESTORES).await;
        assert_eq!(told(&mut stage).await, "1/1: null");
        logged("it is of format 2, and this program reads format 1").await;
        assert_eq!(state.files(), ["snapshot.failed"]);
        assert!(stage.stop().await);
    });
}

#[test]
fn a_restore_that_raises_is_told_and_its_snapshot_kept_aside() {
    alone(|| async {
        let state = State::with("json", "1", "{}");
        let raising = RESTORES.replace("global world", "global world; value['missing']");
        let mut stage = state.start(&raising).await;
        assert_eq!(told(&mut stage).await, "1/1: null");
        assert_eq!(state.files(), ["snapshot.failed"]);
        logged("KeyError: 'missing'").await;
        logged("the script has failed to restore it").await;
        assert!(stage.stop().await);
        assert_eq!(state.files(), ["snapshot.failed"]);
    });
}

#[test]
fn a_snapshot_that_nobody_restores_is_left() {
    alone(|| async {
        let state = State::with("json", "1", "{}");
        let stage = state.start("import ffext").await;
        logged("the script has no ffext.restore for it").await;
        assert!(stage.stop().await);
        assert_eq!(state.files(), ["snapshot"]);
    });
}

#[test]
fn a_scene_that_ends_while_it_restores_leaves_the_snapshot_for_the_next() {
    alone(|| async {
        let state = State::with("json", "1", "{}");
        let stage = state.start("1 / 0").await;
        stage.write(
            r#"
            import ffext, asyncio
            @ffext.restore
            async def load(value):
                print('begun')
                await asyncio.Event().wait()
            @ffext.snapshot
            def save():
                return 'nothing'
            "#,
        );
        let handle = stage.host.handle();
        let reload = tokio::spawn(async move { handle.reload(None).await });
        logged("begun").await;
        stage.push(Event::GroupLost);
        assert!(stage.host.stop(PATIENCE).await);
        assert!(!reload.await.unwrap().ok);
        assert_eq!(
            fs::read(state.file("snapshot")).unwrap(),
            snapshot("json", "1", "{}")
        );
        assert_eq!(state.files(), ["snapshot"]);
    });
}

/// Ends a scene whose snapshot function is this; returns what is in the folder.
async fn ends_with(function: &str) -> Vec<String> {
    let state = State::new();
    let source = format!("import ffext, asyncio\n@ffext.snapshot\n{function}");
    let stage = state.start(&source).await;
    stage.push(Event::GroupLost);
    assert!(stage.host.stop(PATIENCE / 10).await, "{}", log());
    logged("no snapshot is written").await;
    state.files()
}

#[test]
fn a_snapshot_function_that_raises_stops_nothing() {
    alone(|| async {
        assert!(ends_with("def save(): return 1 / 0").await.is_empty());
        logged("ZeroDivisionError").await;
    });
}

#[test]
fn a_snapshot_function_that_returns_no_json_is_named() {
    alone(|| async {
        assert!(
            ends_with("def save(): return {'a': {1, 2}}")
                .await
                .is_empty()
        );
        logged("main.save has returned what is neither bytes nor JSON").await;
    });
}

#[test]
fn a_snapshot_function_that_does_not_end_has_its_part_of_the_grace_period() {
    alone(|| async {
        assert!(
            ends_with("async def save(): await asyncio.sleep(1000)")
                .await
                .is_empty()
        );
        logged("main.save has taken longer than 1.").await;
    });
}

#[test]
fn a_snapshot_that_cannot_be_written_stops_nothing() {
    alone(|| async {
        let state = State::new();
        fs::write(state.0.path().join("scene@0"), "in the way").unwrap();
        let stage = state
            .start("import ffext\n@ffext.snapshot\ndef save(): return 1")
            .await;
        assert!(stage.stop().await);
        logged("snapshot not written").await;
    });
}

#[test]
fn a_script_that_keeps_nothing_writes_nothing() {
    alone(|| async {
        let state = State::new();
        let mut stage = state
            .start("import ffext\n@ffext.snapshot\ndef save(): return 1")
            .await;
        stage.enter("a", 1);
        stage.write("import ffext");
        // The function that is not there any more is not asked.
        assert!(stage.reload().await.starts_with("ok"));
        assert!(messages(&stage.take_actions()).is_empty());
        assert!(stage.stop().await);
        assert!(state.files().is_empty());
    });
}
