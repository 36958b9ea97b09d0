use tests::{Cluster, Groups, Signal, eventually, reaches};

use super::stage::{A, B, C, OPEN, SHORT_LEASE, master_alone};

/// The exit code of `redrabbit nodes`, and what it says.
async fn nodes(cluster: &Cluster, arguments: &[&str]) -> (i32, String) {
    let output = cluster.redrabbit(&[&["nodes"], arguments].concat()).await;
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

#[tokio::test]
async fn an_operator_sees_which_groups_are_reached_and_who_is_in_them() {
    let groups = [
        ("GroupA", master_alone(SHORT_LEASE)),
        ("GroupB", master_alone(OPEN)),
        ("GroupC", master_alone(SHORT_LEASE)),
    ];
    let mut groups = Groups::start(&groups, 1).await;
    let (code, said) = nodes(groups.at(A), &[]).await;
    assert_eq!(code, 0, "{said}");
    for group in ["GroupB", "GroupC"] {
        let row = format!("{group}       bridge@0  yes      ");
        assert!(said.contains(&row), "{said}");
    }

    let (code, said) = nodes(groups.at(A), &["--group", "GroupB"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("group GroupB, epoch "), "{said}");
    assert!(said.contains(", as bridge@0 knows it\n"), "{said}");
    assert!(
        said.contains("master@0  master") && said.contains("GroupA       bridge@0  yes"),
        "{said}"
    );
    let (code, said) = nodes(groups.at(A), &["--group", "GroupB", "--json"]).await;
    assert_eq!(code, 0, "{said}");
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&json["group"], &json["bridge"]),
        (&"GroupB".into(), &"bridge@0".into())
    );
    assert_eq!(json["nodes"].as_array().unwrap().len(), 2);

    let (code, said) = nodes(groups.at(A), &["--group", "GroupC"]).await;
    assert_eq!(code, 1);
    assert!(
        said.contains("write `directory = true`") && said.contains("GroupA"),
        "{said}"
    );
    let (code, said) = nodes(groups.at(A), &["--group", "GroupX"]).await;
    assert_eq!(code, 1);
    assert!(
        said.contains("no bridge of group GroupA joins GroupX") && said.contains("GroupB, GroupC"),
        "{said}"
    );

    groups.at_mut(C).end("master@0", Signal::KILL).await;
    reaches(groups.at(A), "bridge@0", "GroupC", false).await;
    let (code, said) = nodes(groups.at(A), &[]).await;
    assert_eq!(code, 0);
    assert!(said.contains("GroupC       bridge@0  no       "), "{said}");
    let (code, said) = nodes(groups.at(A), &["--group", "GroupC"]).await;
    assert_eq!(code, 1);
    assert!(said.contains("group GroupC cannot be asked: "), "{said}");

    groups.bridges().signal("bridge@0", Signal::STOP);
    eventually("nobody can be asked", async || {
        let (code, said) = nodes(groups.at(B), &["--group", "GroupA"]).await;
        (code == 1 && said.contains("no bridge of group GroupB joins GroupA")).then_some(())
    })
    .await;
    groups.bridges().signal("bridge@0", Signal::CONT);
}
