use ffrpc::Services;
use serde_json::{Value, json};
use tests::Groups;

use super::stage::{A, B, OPEN, ask, finds, script, with_scenes};

#[tokio::test]
async fn scripts_call_each_other_across_groups_by_cmd_and_by_name() {
    let (in_a, in_b) = (script("GroupA", "GroupB"), script("GroupB", "GroupA"));
    let groups = [
        ("GroupA", with_scenes(1, &in_a, OPEN)),
        ("GroupB", with_scenes(2, &in_b, OPEN)),
    ];
    let groups = Groups::start(&groups, 2).await;
    let node = groups.at(A).node("caller@0", Services::new()).await;
    finds(&node, "GroupB").await;
    let told = async |cmd, order| ask(&node, "scene@0", cmd, order).await.unwrap();
    let pid = |scene| groups.at(B).process(scene).id();
    let greeting = |pid: u32| json!(["GroupB", pid, "hello ann"]);

    // By name, awaited.
    for scene in ["scene@0", "scene@1"] {
        let order = json!(["GroupB", scene, 200, "ann"]);
        assert_eq!(told(2, order).await, json!(["", greeting(pid(scene))]));
    }
    // By cmd, awaited: both scenes offer it, and take turns.
    let mut answered = Vec::new();
    for _ in 0..8 {
        let answer = told(1, json!(["GroupB", 200, "ann"])).await;
        answered.push(answer[1][1].as_u64().unwrap() as u32);
    }
    for scene in ["scene@0", "scene@1"] {
        let count = answered.iter().filter(|own| **own == pid(scene)).count();
        assert_eq!(count, 4, "{scene}: {answered:?}");
    }
    // Both, with callbacks.
    let both = told(3, json!(["GroupB", "scene@1", 200, "ann"])).await;
    assert_eq!(both[0][0], "by cmd");
    assert_eq!(both[0][1], "");
    assert_eq!(both[0][2][2], "hello ann");
    assert_eq!(both[1], json!(["by name", "", greeting(pid("scene@1"))]));

    // The errors of those who were called, and those of who was not found.
    let ending = async |cmd, order: Value| {
        let ending = told(cmd, order).await;
        let [kind, text] = [0, 1].map(|at| ending[at].as_str().unwrap().to_owned());
        (kind, text)
    };
    let (kind, text) = ending(1, json!(["GroupB", 201, "luck"])).await;
    assert_eq!(kind, "handler");
    assert!(text.contains("no luck"), "{text}");
    let (kind, text) = ending(2, json!(["GroupB", "scene@7", 200, "ann"])).await;
    assert_eq!(kind, "not_found");
    assert!(text.contains("scene@7"), "{text}");
    let (kind, text) = ending(1, json!(["GroupX", 200, "ann"])).await;
    assert_eq!(kind, "not_found");
    assert!(text.contains("GroupX"), "{text}");
    let failed = told(3, json!(["GroupB", "scene@0", 204, "ann"])).await;
    assert_eq!(
        (&failed[0][1], &failed[1][1]),
        (&json!("forbidden"), &json!("forbidden"))
    );

    // A thousand at once.
    let ended = told(4, json!(["GroupB", 200, "ann", 1000])).await;
    assert_eq!(ended, json!({ "ok": 1000 }));

    // And the other way.
    let node = groups.at(B).node("caller@0", Services::new()).await;
    finds(&node, "GroupA").await;
    let answer = ask(&node, "scene@0", 1, json!(["GroupA", 200, "bob"])).await;
    assert_eq!(answer.unwrap()[1][0], "GroupA");
}
