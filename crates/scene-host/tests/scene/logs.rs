//! What a script writes is in the log.

use crate::stage::{Stage, alone, log, logged};

#[test]
fn everything_that_a_script_writes_is_in_the_log() {
    alone(|| async {
        let stage = Stage::start(
            r#"
            import ffext, logging, sys, threading, warnings
            print('printed', 'words'); print('no end', end=''); print(); print('é 当前')
            sys.stderr.write('to stderr\n')
            logging.getLogger('game').warning('logged %d', 7)
            logging.debug('debugged')
            ffext.LOGINFO('combat', 'by name')
            ffext.LOGFATAL('combat', 'fatal'); ffext.ERROR('plain', 'error')
            ffext.dump_stdout_to_log()
            warnings.warn('a warning')
            threading.Thread(target=lambda: print('from a thread')).start()
            "#,
        )
        .await;
        logged("from a thread").await;
        let log = log();
        for line in [
            "INFO script: printed words module=\"stdout\"",
            "INFO script: no end module=\"stdout\"",
            "INFO script: é 当前 module=\"stdout\"",
            "WARN script: to stderr module=\"stderr\"",
            "WARN script: logged 7 module=\"game\"",
            "DEBUG script: debugged module=\"root\"",
            "INFO script: by name module=\"combat\"",
            "ERROR script: fatal module=\"combat\"",
            "ERROR script: plain error module=\"script\"",
            "UserWarning: a warning",
        ] {
            assert!(log.contains(line), "`{line}` is missing:\n{log}");
        }
        assert!(stage.stop().await);
    });
}

#[test]
fn python_is_isolated_from_the_environment() {
    alone(|| async {
        let stage = Stage::start(
            r#"
            import sys, os, codecs, locale
            print('prefix', sys.prefix, 'argv', len(sys.argv), 'encoding', open(__file__).encoding)
            print('beside', sys.path[0] == os.path.dirname(os.path.abspath(__file__)))
            print('modules', 'ffext' in sys.modules, os.listdir(sys.path[0]))
            import ffext
            "#,
        )
        .await;
        logged("argv 1 encoding utf-8").await;
        logged("beside True").await;
        // Nothing was written beside the script.
        logged("['main.py']").await;
        assert!(stage.stop().await);
    });
}
