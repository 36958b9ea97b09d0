use bytes::Bytes;
use ffrpc::{Node, Services};
use protocol::ErrorKind;
use tests::{Callees, Groups, Signal, eventually, record};

use super::stage::{A, B, C, SHORT_LEASE, finds, master_alone};

/// What GroupB lets GroupA call, and lets GroupC.
const SOME: &str = "\
[limits]
lease = \"1s\"
[exports.echo]
groups = [\"GroupA\"]
services = [\"callee@1\", \"counter\"]
methods = [\"across.echo\", \"stat.*\"]
[exports.large]
groups = [\"GroupC\"]
methods = [\"across.large\"]
";

struct Caller<'a> {
    node: Node,
    groups: &'a Groups,
}

impl Caller<'_> {
    /// How a call ends; what is refused is counted by the bridge, once.
    async fn call(&self, service: Option<&str>, method: &'static str) -> Result<Bytes, ErrorKind> {
        let refused = "redrabbit_bridge_refused_total";
        let counted = async || {
            let page = self.groups.bridges().page("bridge@0").await;
            let lines = page.lines().filter(|line| line.starts_with(refused));
            let lines = lines.filter(|line| line.contains("reason=\"forbidden\""));
            let counts = lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
            counts.sum::<u64>()
        };
        let before = counted().await;
        let mut group = self.node.group("GroupB".parse().unwrap());
        if let Some(service) = service {
            group = group.service(service.parse().unwrap());
        }
        let outcome = group.call(method, Bytes::from_static(b"7")).await;
        let forbidden = matches!(&outcome, Err(error) if error.kind == ErrorKind::Forbidden);
        eventually("what is refused is counted", async || {
            (counted().await == before + u64::from(forbidden)).then_some(())
        })
        .await;
        outcome.map_err(|error| error.kind)
    }
}

#[tokio::test]
async fn nothing_is_called_that_is_not_exported_and_refusals_are_counted() {
    let groups = [
        ("GroupA", master_alone(SHORT_LEASE)),
        ("GroupB", master_alone(SOME)),
        ("GroupC", master_alone(SHORT_LEASE)),
    ];
    let groups = Groups::start(&groups, 1).await;
    let callees = Callees::join(groups.at(B), 2).await;
    let mut callers = Vec::new();
    for at in [A, C] {
        let node = groups.at(at).node("caller@0", Services::new()).await;
        finds(&node, "GroupB").await;
        callers.push(Caller {
            node,
            groups: &groups,
        });
    }
    let [of_a, of_c] = &callers[..] else {
        unreachable!()
    };
    eventually("the bridge knows the callees", async || {
        of_a.call(Some("callee@1"), "across.echo").await.ok()
    })
    .await;

    for (service, method, expected) in [
        // Of two that offer it one is exported, and that has all calls.
        (None, "across.echo", Ok(Bytes::from_static(b"7"))),
        (Some("callee@0"), "across.echo", Err(ErrorKind::Forbidden)),
        // Forbidden, whether it is there or not.
        (Some("callee@9"), "across.echo", Err(ErrorKind::Forbidden)),
        (Some("callee@1"), "across.large", Err(ErrorKind::Forbidden)),
        (None, "across.large", Err(ErrorKind::Forbidden)),
        (None, "across.nothing", Err(ErrorKind::Forbidden)),
        (None, "service.200", Err(ErrorKind::Forbidden)),
        // What daemons say to each other never is.
        (None, "node.drain", Err(ErrorKind::Forbidden)),
        (Some("master@0"), "gate.deliver", Err(ErrorKind::Forbidden)),
        // Exported, and not there.
        (None, "stat.players", Err(ErrorKind::NotFound)),
        (Some("counter@3"), "stat.players", Err(ErrorKind::NotFound)),
        (
            Some("callee@1"),
            "stat.players",
            Err(ErrorKind::Unimplemented),
        ),
    ] {
        assert_eq!(
            of_a.call(service, method).await,
            expected,
            "{service:?} {method}"
        );
    }
    assert_eq!(callees.came_to("callee@0"), 0);

    // Another group has rights of its own.
    assert_eq!(
        of_c.call(None, "across.echo").await,
        Err(ErrorKind::Forbidden)
    );
    assert_eq!(
        of_c.call(None, "across.large").await,
        Ok(Bytes::from_static(b"xxxxxxx"))
    );

    // A group that exports nothing: the callee calls back.
    let node = &callees.nodes()[0];
    finds(node, "GroupA").await;
    let back = node.group("GroupA".parse().unwrap());
    let error = back.call("across.echo", Bytes::new()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(
        error
            .message
            .contains("GroupA does not export across.echo to GroupB"),
        "{error}"
    );
    // All that the directory shows of the others is what bridges say.
    assert_eq!(record(groups.at(A), "callee@0").await, None);
}

#[tokio::test]
async fn an_export_that_is_added_to_a_running_group_can_be_called_at_once() {
    let groups = [
        ("GroupA", master_alone(SHORT_LEASE)),
        ("GroupB", master_alone(SHORT_LEASE)),
    ];
    let groups = Groups::start(&groups, 1).await;
    let _callees = Callees::join(groups.at(B), 1).await;
    let caller = groups.at(A).node("caller@0", Services::new()).await;
    finds(&caller, "GroupB").await;
    let to = caller.group("GroupB".parse().unwrap());
    let call = async || {
        let outcome = to.call("across.echo", Bytes::from_static(b"7")).await;
        outcome.map_err(|error| error.kind)
    };
    eventually(
        "the bridge has heard that nothing is exported",
        async || (call().await == Err(ErrorKind::Forbidden)).then_some(()),
    )
    .await;
    let file = groups.at(B).topology();
    let before = std::fs::read_to_string(&file).unwrap();
    let more = "[exports.echo]\ngroups = [\"GroupA\"]\nmethods = [\"across.echo\"]\n";
    std::fs::write(&file, format!("{before}\n{more}")).unwrap();
    groups.at(B).signal("master@0", Signal::HUP);
    eventually("it can be called", async || {
        (call().await == Ok(Bytes::from_static(b"7"))).then_some(())
    })
    .await;
    // And taken back.
    std::fs::write(&file, before).unwrap();
    groups.at(B).signal("master@0", Signal::HUP);
    eventually("it is forbidden again", async || {
        (call().await == Err(ErrorKind::Forbidden)).then_some(())
    })
    .await;
}
