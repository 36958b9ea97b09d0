//! The chat script of the project's origin runs as it was printed.

use std::path::Path;

use protocol::Login;
use scene_host::Verdict;

use crate::stage::{Stage, alone, log, logged, messages};

#[test]
fn the_original_chat_script_runs_unchanged() {
    alone(|| async {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/seed/main.py");
        let mut stage = Stage::start_file(&script).await;
        logged("loading.......").await;

        let Verdict::Accepted { session, reply, .. } = stage.verify("小明").await else {
            panic!("refused");
        };
        let login = Login(1);
        assert_eq!((session.as_str(), reply.as_ref()), ("小明", &b""[..]));

        stage.enter("小明", login.0);
        let seen = stage.messages(4).await;
        assert_eq!(
            seen[0],
            format!("{login}/1: \"<font color=\\\"#ff0000\\\">测试单播接口！欢迎你！</font>\"")
        );
        assert!(
            seen[1].starts_with("*/1: \"<font color=\\\"#ff0000\\\">[小明 20"),
            "{seen:?}"
        );
        assert_eq!(
            seen[2],
            "*/1: \"<font color=\\\"#ff0000\\\">当前在线:</font>\""
        );
        assert_eq!(seen[3], "*/1: [\"小明\"]");

        stage.frame(login.0, 1, r#"["大家好"]"#);
        let seen = stage.messages(5).await;
        assert!(seen[4].ends_with(":</font>大家好\""), "{seen:?}");
        logged("process_chat session_id=小明 content=大家好").await;

        stage.frame(login.0, 1, r#"["reload"]"#);
        let seen = stage.messages(6).await;
        assert!(
            seen[5].contains("main.py已完成重载ok: main version 2 ("),
            "{seen:?}"
        );
        assert_eq!(stage.host.status().borrow().version, 2);

        // The players are still there, and so is who comes next.
        let next = login.0 + 1;
        stage.enter("b", next);
        let seen = stage.messages(10).await;
        assert_eq!(seen[9], "*/1: [\"小明\",\"b\"]");
        stage.finished(2).await;

        stage.take_actions();
        stage.offline(login.0);
        let seen = stage.messages(3).await;
        assert!(
            seen[0].contains("[小明 20") && seen[0].contains("] offline"),
            "{seen:?}"
        );
        assert_eq!(seen[2], "*/1: [\"b\"]");
        assert!(messages(&stage.take_actions()).len() == 3);
        assert!(!log().contains("script failed"), "{}", log());
        assert!(stage.stop().await);
    });
}

#[test]
fn the_demo_chat_tells_who_is_here_and_what_is_said() {
    alone(|| async {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/chat/main.py");
        let mut stage = Stage::start_file(&script).await;
        for (name, is_welcome) in [("ann", true), (" bob ", true), ("", false), ("  ", false)] {
            let accepted = matches!(stage.verify(name).await, Verdict::Accepted { .. });
            assert_eq!(accepted, is_welcome, "{name:?}");
        }
        stage.enter("ann", 1);
        stage.enter("bob", 2);
        stage.frame(1, 1, r#"["hello"]"#);
        stage.frame(1, 1, r#"["reload"]"#);
        stage.offline(1);
        let seen = stage.messages(8).await;
        assert_eq!(seen[0], r#"*/1: {"kind":"online","names":["ann"]}"#);
        assert_eq!(seen[1], r#"*/1: {"kind":"notice","text":"ann has joined"}"#);
        assert_eq!(seen[2], r#"*/1: {"kind":"online","names":["ann","bob"]}"#);
        assert!(
            seen[4].starts_with(r#"*/1: {"kind":"chat","text":"hello","time":""#)
                && seen[4].ends_with(r#"","from":"ann"}"#),
            "{seen:?}"
        );
        assert!(
            seen[5]
                .starts_with(r#"*/1: {"kind":"notice","text":"reload by ann: ok: main version 2"#),
            "{seen:?}"
        );
        assert_eq!(seen[6], r#"*/1: {"kind":"online","names":["bob"]}"#);
        assert_eq!(seen[7], r#"*/1: {"kind":"notice","text":"ann has left"}"#);
        assert!(stage.stop().await);
    });
}
