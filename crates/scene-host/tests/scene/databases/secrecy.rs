//! Passwords are told to databases alone.

use super::{PROLOGUE, urls};
use crate::stage::{Stage, alone, log, logged, messages};

#[test]
fn a_password_is_in_no_log_and_no_error_of_a_script() {
    alone(|| async {
        let mut stage = Stage::start(&format!(
            "{PROLOGUE}{}",
            crate::stage::unindent(
                r#"
                urls = []
                @handler(1)
                async def work(url):
                    scheme, rest = url.split('://')
                    place = rest.split('@')[1]
                    host, name = place.split('/')
                    wrong = f'{scheme}://redrabbit:w0nderland@{place}'
                    older = f'{scheme}://{host}/redrabbit/w0nderland/{name}'
                    for url in (wrong, older, f'{scheme}://redrabbit:w0nderland@127.0.0.1:1/x'):
                        db = ffext.ffdb_create(url)
                        result = await db.query('SELECT 1')
                        print(result, repr(result), db, db.url, result.error, repr(db._native))
                        assert result.error.kind == 'unavailable', result
                        async def lost():
                            await db.fetch('SELECT 1')
                        task = asyncio.ensure_future(lost())
                        await asyncio.wait([task])
                        assert 'w0nderland' not in str(task.exception())
                    for bad in ('w0nderland', f'{scheme}://redrabbit:w0nderland', f'{scheme}://u:w0nderland@h:w0nderland/d',
                                'oracle://u:w0nderland@h/d', f'{scheme}://u:p@h/d?w0nderland'):
                        try:
                            ffext.ffdb_create(bad)
                        except ValueError as error:
                            assert 'w0nderland' not in str(error), error
                        else:
                            raise AssertionError(bad)
                    return 'done'
                @ffext.session_call(2)
                async def fail(session, url):
                    scheme, rest = url.split('://')
                    await ffext.ffdb_create(f'{scheme}://redrabbit:w0nderland@{rest.split("@")[1]}').fetch('SELECT 1')
                "#
            )
        ))
        .await;
        stage.enter("a", 1);
        let [_, _, mysql, postgres] = urls();
        for url in [mysql, postgres] {
            stage.frame(1, 1, format!("{url:?}"));
            stage.frame(1, 2, format!("{url:?}"));
            stage.finished(2).await;
            assert_eq!(
                messages(&stage.take_actions()),
                ["1/1: \"done\""],
                "{}",
                log()
            );
        }
        logged("database cannot be reached").await;
        logged("ffext.errors.DatabaseError: cannot connect to").await;
        let log = log();
        // Where the script itself says it, in a line of its source.
        for line in log
            .lines()
            .filter(|line| !line.contains("await ffext.ffdb_create(f'"))
        {
            assert!(!line.contains("w0nderland"), "{line}");
        }
        assert!(stage.stop().await);
    });
}
