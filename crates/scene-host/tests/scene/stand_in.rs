//! The half of `ffext` that is built in, and what stands in for it elsewhere.

use std::path::Path;

use crate::stage::{Stage, alone, limits, log, logged};

#[test]
fn the_native_half_and_its_stand_in_have_the_same_functions() {
    alone(|| async {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let stage = Stage::start_file(&folder.join("tests/conformance/stand_in.py")).await;
        logged("compared ").await;
        logged("refused: ffext.testing is for tests").await;
        let log = log();
        assert!(!log.contains("differs: "), "{log}");
        assert!(stage.stop().await);
    });
}

#[test]
fn an_installed_ffext_does_not_take_the_place_of_the_one_that_is_built_in() {
    alone(|| async {
        // What `pip install` puts into a virtual environment.
        let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
        let stage = Stage::start_as(
            r"
            import sys
            import _ffext
            import ffext
            print('first on the path:', 'python' in sys.path[1])
            print(f'ffext is {ffext.__spec__.origin}, _ffext is {_ffext.__spec__.origin}')
            ",
            |config| {
                config.limits = limits();
                config.python_path = vec![installed];
            },
        )
        .await;
        logged("first on the path: True").await;
        logged("ffext is <ffext/__init__.py>, _ffext is built-in").await;
        assert!(stage.stop().await);
    });
}
