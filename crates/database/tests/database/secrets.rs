//! A password is in no message and no log.

use std::{
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex},
};

use database::{ErrorKind, Settings};
use tracing_subscriber::fmt::MakeWriter;

use crate::servers::{Kind, open, url};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_repeated_nowhere() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(log.clone())
        .with_max_level(tracing::Level::TRACE)
        .init();
    for kind in [Kind::MySql, Kind::Postgres] {
        let right = url(kind);
        let (scheme, rest) = right.split_once("://").unwrap();
        let (_, place) = rest.split_once('@').unwrap();
        for url in [
            format!("{scheme}://redrabbit:w0nderland@{place}"),
            format!("{scheme}://w0nderland:w0nderland@{place}"),
            format!("{scheme}://redrabbit:w0nderland@nowhere.invalid/w"),
        ] {
            let database = open(&url, Path::new("/"), Settings::default());
            let error = database
                .admit()
                .unwrap()
                .run("SELECT 1".into(), vec![])
                .await
                .unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unavailable, "{kind:?}: {error}");
            if !url.contains("w0nderland:") {
                let text = format!("{error} {error:?} {database:?}");
                assert!(!text.contains("w0nderland"), "{text}");
                assert!(text.contains("cannot connect to"), "{text}");
            }
        }
        // And a right one.
        let database = open(&right, Path::new("/"), Settings::default());
        database
            .admit()
            .unwrap()
            .run("SELECT 1".into(), vec![])
            .await
            .unwrap();
        assert!(!format!("{database:?}").contains("Down_the_hole"));
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("database cannot be reached"), "{log}");
    for line in log.lines().filter(|line| !line.contains("w0nderland@")) {
        assert!(
            !line.contains("w0nderland") && !line.contains("Down_the_hole"),
            "{line}"
        );
    }
}
