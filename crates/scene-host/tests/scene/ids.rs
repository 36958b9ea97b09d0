//! Ids of a script.

use crate::stage::{Stage, alone, logged};

#[test]
fn ids_of_a_scene_rise_and_a_file_that_is_damaged_is_an_error() {
    alone(|| async {
        let stage = Stage::start(
            r#"
            import ffext
            ids = [ffext.alloc_id() for _ in range(100_000)]
            assert ids == sorted(set(ids)) and 0 < ids[0] and ids[-1] < 2 ** 63
            assert {number % 4096 for number in ids} == {0}
            print('given', len(ids))
            "#,
        )
        .await;
        logged("given 100000").await;
        let file = stage.folder().join("state/scene@0/ids");
        let kept = std::fs::read_to_string(file).unwrap();
        assert!(kept.starts_with("redrabbit-ids 1 "), "{kept}");
        assert!(stage.stop().await);
    });
}
