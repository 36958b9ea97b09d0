use bytes::Bytes;
use protocol::{ErrorKind, envelope::MAX_BODY_BYTES};
use serde_json::json;
use tests::{Callees, Groups, LARGE_METHOD, WAIT_METHOD, eventually};

use super::stage::{A, B, OPEN, ask, caller, script, with_scenes};

#[tokio::test]
async fn an_answer_that_is_too_large_is_said_to_be_so_and_harms_nobody() {
    let (in_a, in_b) = (script("GroupA", "GroupB"), script("GroupB", "GroupA"));
    let groups = [
        ("GroupA", with_scenes(1, &in_a, OPEN)),
        ("GroupB", with_scenes(1, &in_b, OPEN)),
    ];
    let groups = Groups::start(&groups, 1).await;
    let _callees = Callees::join(groups.at(B), 1).await;
    let node = caller(groups.at(A), "GroupB").await;
    let call = async |method: &'static str, body: Bytes| {
        let group = node.group("GroupB".parse().unwrap());
        group.call(method, body).await
    };
    let answer = async |bytes: usize| call(LARGE_METHOD, bytes.to_string().into()).await;
    eventually("the callee answers", async || answer(1).await.ok()).await;

    // As much as may be, there and back.
    assert_eq!(answer(MAX_BODY_BYTES).await.unwrap().len(), MAX_BODY_BYTES);
    let whole = Bytes::from(vec![b'x'; MAX_BODY_BYTES]);
    assert_eq!(call(WAIT_METHOD, whole.clone()).await.unwrap(), whole);
    // And one more, while others are under way.
    let (large, small) = tokio::join!(answer(MAX_BODY_BYTES + 1), answer(7));
    assert_eq!(large.unwrap_err().kind, ErrorKind::TooLarge);
    assert_eq!(small.unwrap(), "xxxxxxx");
    let error = call(WAIT_METHOD, vec![b'x'; MAX_BODY_BYTES + 1].into())
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge);
    let ended = ask(&node, "scene@0", 1, json!(["GroupB", 202, MAX_BODY_BYTES]))
        .await
        .unwrap();
    assert_eq!(ended[0], "too_large");
    // Two bytes are its quotes, and the scene in between adds some.
    let most = MAX_BODY_BYTES - 100;
    let ended = ask(&node, "scene@0", 1, json!(["GroupB", 202, most]))
        .await
        .unwrap();
    assert_eq!(
        (&ended[0], ended[1].as_str().unwrap().len()),
        (&json!(""), most)
    );
}
