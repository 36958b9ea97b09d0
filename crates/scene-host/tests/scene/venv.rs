//! Virtual environments of scripts.

use std::{fs, path::Path, process::Command};

use scene_host::{HostConfig, SceneError, ScriptHost};
use tempfile::TempDir;

use crate::stage::{Stage, alone, limits, log, messages, venv};

/// Tells where it is.
const WHERE: &str = r#"
import ffext, sys
@ffext.session_call(1)
def where(session, name):
    ffext.send_msg_session(session, 1, eval(name))
"#;

async fn answers(stage: &mut Stage, questions: &[&str]) -> Vec<String> {
    stage.enter("ann", 1);
    for question in questions {
        stage.frame(1, 1, format!("\"{question}\""));
    }
    stage
        .finished(u32::try_from(questions.len()).unwrap())
        .await;
    let answers = messages(&stage.take_actions());
    assert_eq!(answers.len(), questions.len(), "{}", log());
    let answer = |text: &String| text.strip_prefix("1/1: ").unwrap().to_owned();
    answers.iter().map(answer).collect()
}

#[test]
fn a_script_imports_what_its_environment_has_and_the_system_has_not() {
    alone(|| async {
        let mut stage = Stage::start_as(WHERE, |config| config.venv = Some(venv())).await;
        let python = venv().join("bin/python");
        let answers = answers(
            &mut stage,
            &[
                "sys.prefix",
                "sys.executable",
                "sys.base_prefix != sys.prefix",
                "__import__('thrift').__file__",
                // A .pth file says where it is.
                "__import__('chat_pb2').__file__",
                "[path for path in sys.path if 'dist-packages' in path]",
                "exit and 'exit'.upper() and type(exit).__name__",
                "str(ffext.reload('chat_pb2'))",
                "str(ffext.reload('thrift'))",
            ],
        )
        .await;
        let quoted = |path: &Path| format!("\"{}\"", path.display());
        assert_eq!(answers[0], quoted(&venv()));
        assert_eq!(answers[1], quoted(&python));
        assert_eq!(answers[2], "true");
        let packages = venv().join("lib").display().to_string();
        assert!(answers[3].contains(&packages), "{}", answers[3]);
        assert_eq!(answers[4], quoted(&venv().join("messages/chat_pb2.py")));
        assert_eq!(answers[5], "[]");
        assert_eq!(answers[6], "\"Quitter\"");
        for answer in &answers[7..] {
            assert!(
                answer.contains("not one of the script's own modules"),
                "{answer}"
            );
        }
        assert!(stage.stop().await);
    });
}

#[test]
fn without_an_environment_the_libraries_are_the_systems() {
    alone(|| async {
        let mut stage = Stage::start(WHERE).await;
        let questions = ["sys.prefix == sys.base_prefix", "'.venv' in str(sys.path)"];
        assert_eq!(answers(&mut stage, &questions).await, ["true", "false"]);
        assert!(stage.stop().await);
    });
}

#[test]
fn an_environment_in_the_scripts_folder_is_not_the_scripts_own() {
    alone(|| async {
        let folder = TempDir::new().unwrap();
        let inside = folder.path().join("venv");
        make(&inside, &["--system-site-packages"]);
        let packages = inside.join("lib").read_dir().unwrap().next().unwrap();
        let packages = packages.unwrap().path().join("site-packages");
        fs::write(packages.join("library.py"), "value = 5\n").unwrap();
        let script = folder.path().join("main.py");
        fs::write(&script, format!("{WHERE}\nimport library\n")).unwrap();
        let mut stage = Stage::start_as("", |config| {
            config.script = script;
            config.venv = Some(inside);
        })
        .await;
        let questions = [
            "library.value",
            "str(ffext.reload('library'))",
            // It was made so: the system's packages come after its own.
            "[path.split('/')[-1] for path in sys.path][-1]",
        ];
        let answers = answers(&mut stage, &questions).await;
        assert_eq!(answers[0], "5");
        assert!(
            answers[1].contains("not one of the script's own"),
            "{}",
            answers[1]
        );
        assert!(answers[2].ends_with("-packages\""), "{}", answers[2]);
        assert!(stage.stop().await);
    });
}

#[test]
fn what_is_no_environment_is_refused_before_anything_starts() {
    alone(|| async {
        let folder = TempDir::new().unwrap();
        let script = folder.path().join("main.py");
        fs::write(&script, "").unwrap();
        let config = |venv: &Path| HostConfig {
            name: "scene@0".parse().unwrap(),
            group: None,
            script: script.clone(),
            python_path: Vec::new(),
            venv: Some(venv.to_owned()),
            watch: false,
            state_dir: None,
            limits: limits(),
        };
        let error = ScriptHost::start(config(folder.path())).await.unwrap_err();
        assert!(matches!(error, SceneError::Venv(_)), "{error:?}");
        let error = error.to_string();
        assert!(
            error.contains("there is no pyvenv.cfg in it; make one with `python3."),
            "{error}"
        );
        // The process has not used up its interpreter.
        let host = ScriptHost::start(config(&venv())).await.unwrap();
        assert!(host.stop(crate::stage::PATIENCE).await);
    });
}

/// Makes an environment, without what would take long.
fn make(folder: &Path, options: &[&str]) {
    let status = Command::new(env!("SCENE_PYTHON"))
        .args(["-m", "venv", "--without-pip"])
        .args(options)
        .arg(folder)
        .status()
        .unwrap();
    assert!(status.success());
}
