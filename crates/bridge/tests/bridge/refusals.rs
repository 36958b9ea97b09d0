//! Calls that a bridge does not pass on.

use std::sync::OnceLock;

use bytes::Bytes;
use ffrpc::{Group, Node, Services};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use prost::Message;
use protocol::{
    CallError, ErrorKind,
    method::BRIDGE_NODES,
    v1::{Export, GroupNodesRequest, ListNodesResponse},
};

use crate::harness::{bridge, eventually, everything, export, group, offering, reaching, within};

async fn refused(other: &Group, method: &'static str) -> CallError {
    within(other.call(method, Bytes::new())).await.unwrap_err()
}

#[tokio::test]
async fn what_is_not_exported_is_forbidden_and_counted() {
    let metrics = metrics();
    let exports = vec![export("Guarded0", "echo", "echo")];
    let (a, b, c) = (
        group("Guarded0", vec![]).await,
        group("Guarded1", exports).await,
        group("Guarded2", vec![]).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b, &c]).await;
    let (_echo, _other) = (b.echo("echo@0").await, b.echo("other@0").await);
    let (caller, stranger) = (a.caller().await, c.caller().await);
    let allowed = offering(&caller, "Guarded1", "echo").await;

    // Another method; another node; another group. Whether they are there or not.
    let other = refused(&allowed, "forever").await;
    assert_eq!(
        other,
        CallError::new(
            ErrorKind::Forbidden,
            "Guarded1 does not export forever to Guarded0"
        )
    );
    assert_eq!(
        refused(&allowed, "nothing").await.kind,
        ErrorKind::Forbidden
    );
    for name in ["other@0", "nobody@0"] {
        let named = allowed.clone().service(name.parse().unwrap());
        assert_eq!(refused(&named, "echo").await.kind, ErrorKind::Forbidden);
    }
    let forbidden = reaching(&stranger, "Guarded1").await;
    assert_eq!(refused(&forbidden, "echo").await.kind, ErrorKind::Forbidden);

    let text = metrics.render();
    let counted = |name: &str, labels: &str| {
        let line = format!("{name}{{{labels}}}");
        let found = text.lines().find_map(|found| found.strip_prefix(&line));
        found.map(|count| count.trim().to_owned())
    };
    for (from, expected) in [("Guarded0", "4"), ("Guarded2", "1")] {
        let labels = format!(r#"from="{from}",to="Guarded1",reason="forbidden""#);
        assert_eq!(
            counted("redrabbit_bridge_refused_total", &labels).as_deref(),
            Some(expected),
            "{text}"
        );
        let labels = format!(r#"from="{from}",to="Guarded1",outcome="forbidden""#);
        assert_eq!(
            counted("redrabbit_bridge_calls_total", &labels).as_deref(),
            Some(expected),
            "{text}"
        );
    }
    let ok = counted(
        "redrabbit_bridge_calls_total",
        r#"from="Guarded0",to="Guarded1",outcome="ok""#,
    );
    assert_eq!(ok.as_deref(), Some("1"));
    let under_way = counted(
        "redrabbit_bridge_calls_pending",
        r#"from="Guarded0",to="Guarded1""#,
    );
    assert_eq!(under_way.as_deref(), Some("0"));
    let reachable = counted("redrabbit_bridge_group_reachable", r#"group="Guarded1""#);
    assert_eq!(reachable.as_deref(), Some("1"));
}

#[tokio::test]
async fn the_methods_of_daemons_are_forbidden_though_everything_is_exported() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b]).await;
    let services = Services::new()
        .serve("ok", async |_| Ok(Bytes::new()))
        .serve("node.drain", async |_| Ok(Bytes::new()));
    let (_node, caller) = (b.join("node@0", services).await, a.caller().await);
    let other = offering(&caller, "GroupB", "ok").await;
    assert_eq!(
        refused(&other, "node.drain").await.kind,
        ErrorKind::Forbidden
    );
    let named = other.service("node@0".parse().unwrap());
    assert_eq!(
        refused(&named, "node.drain").await.kind,
        ErrorKind::Forbidden
    );
}

#[tokio::test]
async fn who_is_not_there_is_not_found() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b]).await;
    let caller = a.caller().await;
    let other = reaching(&caller, "GroupB").await;
    // Nothing is exported until the bridge has been told.
    let nobody = crate::harness::once_not(ErrorKind::Forbidden, async || {
        other.call("echo", Bytes::new()).await
    });
    assert_eq!(
        nobody.await.unwrap_err(),
        CallError::new(ErrorKind::NotFound, "nobody in GroupB offers echo")
    );
    let named = other.service("echo@7".parse().unwrap());
    assert_eq!(
        refused(&named, "echo").await,
        CallError::new(ErrorKind::NotFound, "there is no echo@7 in GroupB")
    );
    let nowhere = caller.group("GroupX".parse().unwrap());
    assert_eq!(refused(&nowhere, "echo").await.kind, ErrorKind::NotFound);
    // Nor does a group call itself across a bridge.
    let itself = caller.group("GroupA".parse().unwrap());
    assert_eq!(refused(&itself, "echo").await.kind, ErrorKind::NotFound);
}

/// Each answers by calling the other, because of the call that it answers.
#[tokio::test]
async fn nobody_calls_the_brokers_and_bridges_of_another_group() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b]).await;
    let caller = a.caller().await;
    let other = reaching(&caller, "GroupB").await;
    for name in ["master@0", "bridge@0"] {
        let named = other.clone().service(name.parse().unwrap());
        // Nothing is exported until the bridge has been told.
        let called = crate::harness::once_not(ErrorKind::Forbidden, async || {
            named.call("echo", Bytes::new()).await
        });
        let error = called.await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{name}: {error}");
    }
}

#[tokio::test]
async fn services_that_call_each_other_in_a_circle_are_stopped_by_the_count_of_bridges() {
    let (a, b) = (
        group("GroupA", everything()).await,
        group("GroupB", everything()).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b]).await;
    let (in_a, in_b) = (circle(&a, "GroupB").await, circle(&b, "GroupA").await);
    reaching(&in_a, "GroupB").await;
    let other = reaching(&in_b, "GroupA").await;
    let circle = within(async {
        loop {
            match other.call("around", Bytes::new()).await {
                // Somebody has not been heard of yet.
                Err(error) if matches!(error.kind, ErrorKind::NotFound) => {}
                Err(error) if error.message.contains("does not export") => {}
                outcome => return outcome,
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap_err();
    assert_eq!(circle.kind, ErrorKind::Forbidden);
    assert!(circle.message.contains("crossed 8 bridges"), "{circle}");
}

#[tokio::test]
async fn a_request_crosses_eight_bridges_at_most() {
    let (a, b) = (
        group("GroupA", vec![]).await,
        group("GroupB", everything()).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b]).await;
    let (_echo, caller) = (b.echo("echo@0").await, a.caller().await);
    let other = offering(&caller, "GroupB", "echo").await;
    let last = other.clone().hops(7);
    assert!(within(last.call("echo", Bytes::new())).await.is_ok());
    let error = refused(&other.hops(8), "echo").await;
    assert_eq!(error.kind, ErrorKind::Forbidden);
}

async fn circle(home: &crate::harness::Running, group: &'static str) -> Node {
    let own: std::sync::Arc<OnceLock<Node>> = std::sync::Arc::default();
    let services = Services::new().serve("around", {
        let own = std::sync::Arc::clone(&own);
        move |request| {
            let node = own.get().cloned();
            async move {
                let next = node.unwrap().group(group.parse().unwrap());
                next.after(request.origin.as_deref())
                    .call("around", request.body)
                    .await
            }
        }
    });
    let node = home.join("around@0", services).await;
    assert!(own.set(node.clone()).is_ok());
    node
}

#[tokio::test]
async fn the_directory_of_another_group_is_shown_to_whom_it_is_exported() {
    let shown = vec![Export {
        directory: true,
        ..export("GroupA", "*", "echo")
    }];
    let (a, b, c) = (
        group("GroupA", vec![]).await,
        group("GroupB", shown).await,
        group("GroupC", vec![]).await,
    );
    let _bridge = bridge("bridge@0", &[&a, &b, &c]).await;
    let _echo = b.echo("echo@0").await;
    let (caller, stranger) = (a.caller().await, c.caller().await);
    offering(&caller, "GroupB", "echo").await;

    let asked = async |node: &Node, group: &str| {
        let bridge = eventually(|| node.resolve(&"bridge@0".parse().unwrap())).await;
        let question = GroupNodesRequest {
            group: group.into(),
        };
        let answer = node.call(bridge, BRIDGE_NODES, question.encode_to_vec().into());
        let answer = within(answer).await?;
        Ok::<_, CallError>(ListNodesResponse::decode(answer).unwrap())
    };
    let directory = asked(&caller, "GroupB").await.unwrap();
    let snapshot = directory.snapshot.unwrap();
    let mut names: Vec<_> = snapshot
        .nodes
        .iter()
        .map(|node| node.name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(
        (directory.group.as_str(), names),
        ("GroupB", vec!["bridge@0", "echo@0", "master@0"])
    );
    let echo = snapshot
        .nodes
        .iter()
        .find(|node| node.name == "echo@0")
        .unwrap();
    assert!(echo.methods.contains(&"echo".to_owned()));

    reaching(&stranger, "GroupB").await;
    assert_eq!(
        asked(&stranger, "GroupB").await.unwrap_err().kind,
        ErrorKind::Forbidden
    );
    assert_eq!(
        asked(&caller, "GroupC").await.unwrap_err().kind,
        ErrorKind::Forbidden
    );
    assert_eq!(
        asked(&caller, "GroupX").await.unwrap_err().kind,
        ErrorKind::NotFound
    );
    assert_eq!(
        asked(&caller, "GroupA").await.unwrap_err().kind,
        ErrorKind::NotFound
    );
}

/// The recorder of the process, which is there once.
fn metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap())
}
