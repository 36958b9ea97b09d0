//! Layers over each other, what they get wrong, and what must never be shown.

use std::fs;

use proptest::prelude::*;

use super::*;

mod bridges;

use bridges::bridges;

const FILE: &str = r#"
group = "a"

[master]
listen = "127.0.0.1:10241"

[gates."gate@0"]
tcp = "127.0.0.1:10242"

[scenes."scene@0"]
script = "main.py"

[security]
secret = "of the file"
"#;

struct Case {
    text: String,
    environment: Vec<(OsString, OsString)>,
    set: Vec<String>,
}

fn case() -> Case {
    Case {
        text: FILE.to_owned(),
        environment: Vec::new(),
        set: Vec::new(),
    }
}

impl Case {
    fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn set(mut self, argument: &str) -> Self {
        self.set.push(argument.to_owned());
        self
    }

    fn load_any(&self) -> Result<Plan, TopologyError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("topology.toml");
        fs::write(&path, &self.text).unwrap();
        let sources = Sources {
            environment: self.environment.clone(),
            set: self.set.clone(),
            folder: PathBuf::from("/here"),
            place: None,
            credentials: Credentials::Read,
        };
        sources.load_any(&path)
    }

    fn load(&self) -> Result<Topology, TopologyError> {
        self.load_any().map(|plan| match plan {
            Plan::Group(topology) => *topology,
            Plan::Bridges(plan) => panic!("not a group: {plan:?}"),
        })
    }

    fn load_bridges(&self) -> Result<BridgePlan, TopologyError> {
        self.load_any().map(|plan| match plan {
            Plan::Bridges(plan) => plan,
            Plan::Group(topology) => panic!("not bridges: {topology:?}"),
        })
    }

    /// All that is wrong, without the place of the file.
    fn mistakes(&self) -> Vec<String> {
        let error = self.load_any().unwrap_err();
        let mistakes = error.mistakes().iter();
        mistakes
            .map(|mistake| {
                let place = match &mistake.place {
                    Place::Line { line, .. } => format!("line {line}"),
                    place => place.to_string(),
                };
                let nearest = mistake.nearest.as_deref().unwrap_or("-");
                format!("{place} | {} | {} | {nearest}", mistake.key, mistake.found)
            })
            .collect()
    }
}

#[test]
fn the_environment_lies_over_the_file_and_arguments_over_both() {
    let case = case()
        .variable("REDRABBIT__MASTER__LISTEN", "127.0.0.1:1")
        .variable("REDRABBIT__GROUP", "b")
        .set("group=c")
        .set("gates.gate@0.tcp=127.0.0.1:2")
        .set("gates.\"gate@0\".tcp=127.0.0.1:3");
    let plan = case.load().unwrap();
    assert_eq!(plan.master.listen.port(), 1);
    assert_eq!(plan.group.as_str(), "c");
    let gate = plan.gates.values().next().unwrap();
    assert_eq!(gate.tcp.unwrap().port(), 3);
}

#[test]
fn numbers_sizes_times_and_lists_can_be_given_outside_the_file() {
    let case = case()
        .variable("REDRABBIT__LIMITS__FRAME_BURST", "7")
        .variable("REDRABBIT__LIMITS__FRAME_BYTES", "1024")
        .variable("REDRABBIT__LIMITS__LEASE", "2s")
        .set("limits.send_queue_bytes=1MiB")
        .set("master.workers=2")
        .variable("REDRABBIT__SECURITY__ALLOW_PLAINTEXT", "true")
        .variable("STATE_DIRECTORY", "/var/lib/redrabbit")
        .set("scenes.scene@0.python_path=lib:/srv/lib");
    let plan = case.load().unwrap();
    assert_eq!(
        (plan.limits.frame_burst, plan.limits.frame_bytes),
        (7, 1024)
    );
    assert_eq!(plan.limits.lease.as_secs(), 2);
    assert_eq!(
        (plan.limits.send_queue_bytes, plan.master.workers),
        (1 << 20, 2)
    );
    assert!(plan.security.allow_plaintext);
    let epoch = "/var/lib/redrabbit/a@127.0.0.1-10241.epoch";
    assert_eq!(plan.master.epoch_file, Path::new(epoch));
    let scene = plan.scenes.values().next().unwrap();
    assert_eq!(
        scene.python_path,
        [Path::new("/here/lib"), Path::new("/srv/lib")]
    );
}

/// `config` by itself would make numbers of the first two, and `true` of
/// the third.
#[test]
fn a_secret_outside_the_file_is_text_whatever_it_looks_like() {
    for secret in ["0012", "1e5", "TRUE", "a=b", "[1]", " spaced "] {
        let variable = case().variable("REDRABBIT__SECURITY__SECRET", secret);
        assert_eq!(variable.load().unwrap().security.secret.expose(), secret);
        let argument = case().set(&format!("security.secret={secret}"));
        assert_eq!(argument.load().unwrap().security.secret.expose(), secret);
    }
}

#[test]
fn other_programs_variables_are_none_of_our_business() {
    let case = case()
        .variable("REDRABBIT_LOG", "x")
        .variable("PATH", "/bin");
    assert!(case.load().is_ok());
}

#[test]
fn mistakes_outside_the_file_name_the_variable_or_the_argument() {
    let case = case()
        .variable("REDRABBIT__MASTER__LISTN", "127.0.0.1:1")
        .variable("REDRABBIT__LIMITS__LEASE", "3")
        .variable("REDRABBIT__GATES__X", "1")
        .set("gates.gate@0.tcp=nowhere")
        .set("gates.gate@1.tcp=127.0.0.1:1")
        .set("gats.gate@0.tcp=127.0.0.1:1")
        .set("scenes.scene@0=main.py")
        .set("limits=5")
        .set("limits.lease.x=1")
        .set("master.workers");
    assert_eq!(
        case.mistakes(),
        [
            "environment variable REDRABBIT__GATES__X | gates.x | \
             a variable for a section of nodes | -",
            "environment variable REDRABBIT__LIMITS__LEASE | limits.lease | \"3\" | -",
            "environment variable REDRABBIT__MASTER__LISTN | master.listn | \
             an unknown key | REDRABBIT__MASTER__LISTEN",
            "--set master.workers |  | no \"=\" | -",
            "--set gates.gate@0.tcp | gates.gate@0.tcp | \"nowhere\" | -",
            "--set gates.gate@1.tcp | gates.gate@1.tcp | \
             gate@1, which the file does not declare | gate@0",
            "--set gats.gate@0.tcp | gats.gate@0.tcp | an unknown key | gates.gate@0.tcp",
            "--set limits | limits | a text | -",
            "--set limits.lease.x | limits.lease.x | an unknown key | -",
            "--set scenes.scene@0 | scenes.scene@0 | a text | -",
        ]
    );
}

#[test]
fn what_the_layers_contradict_each_other_in_names_the_one_on_top() {
    let case = case().set("gates.gate@0.websocket=0.0.0.0:10241");
    let found = "0.0.0.0:10241, taken by master.listen = 127.0.0.1:10241 (line 5)";
    let place = "--set gates.gate@0.websocket | gates.gate@0.websocket";
    assert_eq!(case.mistakes(), [format!("{place} | {found} | -")]);
}

#[test]
fn a_missing_key_may_come_from_outside() {
    let mut case = case().set("master.listen=127.0.0.1:0");
    case.text = case
        .text
        .replace("[master]\nlisten = \"127.0.0.1:10241\"", "");
    assert_eq!(case.load().unwrap().master.listen.port(), 0);
}

#[test]
fn no_message_shows_what_was_given_for_a_secret() {
    let cases = [
        case().set("security.secert=hunter2"),
        case().set("security=hunter2"),
        case().set("security.secret:hunter2"),
        case().set("security.secret hunter2"),
        case().set("security.secret_file=hunter2"),
        case().variable("REDRABBIT__SECURITY", "hunter2"),
        case().variable("REDRABBIT__SECURITY__SECRT", "hunter2"),
        case()
            .set("master.workers=0")
            .set("security.secret=hunter2"),
        bridges().set("groups.GroupA.secert=hunter2"),
        bridges().set("groups.GroupA.secret_file=hunter2"),
        bridges().set("groups.GroupA=hunter2"),
        bridges().set("groups=hunter2"),
        bridges().set("groups.GroupA.allow_plaintext=hunter2"),
        bridges().set("groups.GroupA.secret:hunter2"),
        bridges().variable("REDRABBIT__GROUPS__GROUPA__SECRT", "hunter2"),
        bridges().variable("REDRABBIT__GROUPS__GROUPC__SECRET", "hunter2"),
    ];
    for case in cases {
        let error = case.load_any().unwrap_err();
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("hunter2"), "{text}");
            assert!(!text.contains("of the file"), "{text}");
        }
    }
}

#[test]
fn what_an_export_lists_can_be_given_outside_the_file() {
    let mut case = case()
        .variable("REDRABBIT__EXPORTS__CHAT__GROUPS", "GroupB, GroupC")
        .set("exports.chat.cmds=200,210-219")
        .set("exports.chat.methods=[\"stat.*\"]")
        .set("exports.other.directory=true");
    case.text.push_str("[exports.Chat]\ngroups = \"*\"\n");
    assert_eq!(
        case.mistakes(),
        [
            "line 15 | exports.Chat | neither cmds nor methods nor directory, so that it \
             exports nothing | -",
            "--set exports.chat.cmds | exports.chat.cmds | \
             chat, which the file does not declare | Chat",
            "--set exports.chat.methods | exports.chat.methods | \
             chat, which the file does not declare | Chat",
            "--set exports.other.directory | exports.other.directory | \
             other, which the file does not declare | -",
        ]
    );
    case.text = case.text.replace("Chat", "chat");
    case.set.pop();
    let exports = case.load().unwrap().exports;
    let chat = &exports.entries["chat"];
    assert_eq!(chat.groups, ["GroupB", "GroupC"]);
    assert_eq!(chat.services, ["*"]);
    assert_eq!(chat.cmds, [200..=200, 210..=219]);
    assert_eq!(chat.methods, ["stat.*"]);
}

#[test]
fn a_file_is_read_as_what_it_is() {
    assert!(matches!(bridges().load_any(), Ok(Plan::Bridges(_))));
    assert!(matches!(case().load_any(), Ok(Plan::Group(_))));
    let mut empty = case();
    empty.text.clear();
    assert_eq!(empty.mistakes()[0], "line 1 | group | nothing | -");
}

#[cfg(unix)]
#[test]
fn bytes_that_are_no_text_are_refused_and_not_shown() {
    use std::os::unix::ffi::OsStringExt as _;
    let secret = OsString::from_vec(b"hunter2\xff".to_vec());
    let case = case().variable("REDRABBIT__SECURITY__SECRET", secret);
    let error = case.load().unwrap_err().to_string();
    assert!(error.contains("REDRABBIT__SECURITY__SECRET"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

/// A piece of TOML, most of it nearly right.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "group",
        "master",
        "listen",
        "gates",
        "\"gate@0\"",
        "gate@0",
        "tcp",
        "limits",
        "scenes",
        "groups",
        "name",
        "secret",
        "bridges",
        "\"bridge@0\"",
        "exports",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\"",
        "'",
        "\"\"\"",
        "\n",
        "\r\n",
        "#",
        "1",
        "-1",
        "0x",
        "1e9",
        "99999999999999999999",
        "2026-01-01",
        "true",
        "\"127.0.0.1:1\"",
        "\\",
        "\0",
        "é",
    ];
    proptest::collection::vec(proptest::sample::select(words.to_vec()), 0..40)
        .prop_map(|words| words.join(" ").replace("\n ", "\n"))
}

fn line() -> impl Strategy<Value = String> {
    piece().prop_map(|piece| piece.replace(['\r', '\n'], ""))
}

proptest! {
    #[test]
    fn nothing_that_is_written_makes_loading_panic(
        piece in piece(), at in 0..FILE.len(), set in ".{0,20}=.{0,20}",
    ) {
        let mut case = case().set(&set);
        case.text.insert_str(at, &piece);
        if let Err(error) = case.load_any() {
            prop_assert!(!error.mistakes().is_empty());
            prop_assert!(!error.to_string().is_empty());
        }
    }

    /// Whatever is wrong with the line that holds it.
    #[test]
    fn a_secret_in_a_broken_line_is_not_shown(before in line(), after in line()) {
        let line = format!("secret = {before} hunter2 {after}");
        for mut case in [case(), bridges()] {
            case.text = case.text.replace("secret = \"of the file\"", &line);
            if let Err(error) = case.load_any() {
                let text = format!("{error} {error:?}");
                prop_assert!(!text.contains("hunter2"), "{text}");
            }
        }
    }

    #[test]
    fn the_beginning_of_a_file_is_refused_with_a_reason(at in 0..FILE.find("listen").unwrap()) {
        let mut case = case();
        case.text.truncate(at);
        prop_assert!(!case.load().unwrap_err().mistakes().is_empty());
    }
}
