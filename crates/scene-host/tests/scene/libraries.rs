//! Ordinary asyncio libraries do their I/O within handlers.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::stage::{Stage, alone, eventually, log, logged, messages, venv};

/// A redis-server of the test's own.
struct Redis {
    process: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Redis {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = address.local_addr().unwrap();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &address.port().to_string()])
            .arg("--dir")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is there: ./tests/run unit installs it");
        let redis = Redis {
            process,
            address,
            _folder: folder,
        };
        eventually(
            || TcpStream::connect(address).is_ok(),
            || "redis-server does not listen".to_owned(),
        )
        .await;
        redis
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn stage(source: &str) -> Stage {
    Stage::start_as(source, |config| config.venv = Some(venv())).await
}

#[test]
fn redis_is_asked_within_handlers() {
    alone(|| async {
        let server = Redis::start().await;
        let script = r#"
            import asyncio, ffext
            import redis.asyncio as redis
            db = redis.Redis(port=PORT, decode_responses=True)
            @ffext.session_enter_callback
            async def enter(session, from_scene, extra_data):
                await db.hset(f'player:{session}', mapping={'name': session, 'gold': 0})
            @ffext.session_call(1)
            async def earn(session, gold):
                async with db.pipeline(transaction=True) as pipe:
                    pipe.hincrby(f'player:{session}', 'gold', gold)
                    pipe.hgetall(f'player:{session}')
                    total, player = await pipe.execute()
                ffext.send_msg_session(session, 1, [total, player['name']])
            @ffext.session_call(2)
            async def wait(session, message):
                async with db.pubsub() as channel:
                    await channel.subscribe('news')
                    async with asyncio.timeout(10):
                        async for message in channel.listen():
                            if message['type'] == 'message':
                                break
                            await db.publish('news', session)
                ffext.send_msg_session(session, 2, message['data'])
            @ffext.session_call(3)
            async def too_slow(session, message):
                try:
                    async with asyncio.timeout(0.05):
                        await db.blpop('nothing', timeout=30)
                except TimeoutError:
                    ffext.send_msg_session(session, 3, 'timeout')
            @ffext.session_offline_callback
            async def offline(session, online_time):
                await db.delete(f'player:{session}')
                print('deleted', session)
            "#
        .replace("PORT", &server.address.port().to_string());
        let mut stage = stage(&script).await;
        for login in 1..=20 {
            stage.enter(&format!("p{login}"), login);
        }
        for gold in 1..=10 {
            for login in 1..=20 {
                stage.frame(login, 1, gold.to_string());
            }
        }
        stage.frame(1, 2, "null");
        stage.frame(1, 3, "null");
        stage.finished(202).await;
        let seen = messages(&stage.take_actions());
        for login in 1..=20 {
            let own = format!("{login}/1:");
            let own: Vec<_> = seen.iter().filter(|seen| seen.starts_with(&own)).collect();
            assert_eq!(own.len(), 10);
            assert_eq!(*own[9], format!("{login}/1: [55,\"p{login}\"]"));
        }
        assert!(seen.contains(&"1/2: \"p1\"".to_owned()), "{seen:?}");
        assert!(seen.contains(&"1/3: \"timeout\"".to_owned()), "{seen:?}");
        stage.offline(1);
        logged("deleted p1").await;
        assert!(stage.stop().await);
        assert!(!log().contains("script failed"), "{}", log());
    });
}

#[test]
fn a_redis_that_goes_away_and_comes_back_costs_errors_and_no_restart() {
    alone(|| async {
        let mut server = Redis::start().await;
        let script = r#"
            import ffext
            import redis.asyncio as redis
            db = redis.Redis(port=PORT)
            @ffext.session_call(1)
            async def ping(session, message):
                ffext.send_msg_session(session, 1, await db.ping())
            "#
        .replace("PORT", &server.address.port().to_string());
        let mut stage = stage(&script).await;
        stage.enter("a", 1);
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        assert_eq!(messages(&stage.take_actions()), ["1/1: true"]);
        server.process.kill().unwrap();
        server.process.wait().unwrap();
        stage.frame(1, 1, "null");
        stage.finished(1).await;
        assert!(messages(&stage.take_actions()).is_empty());
        logged("handler=\"main.ping\" session_id=\"a\"").await;
        assert!(stage.stop().await);
    });
}

#[test]
fn aiohttp_serves_and_asks_within_a_scene() {
    alone(|| async {
        let mut stage = stage(
            r#"
            import asyncio, ffext
            import aiohttp
            from aiohttp import web
            players = {}
            async def list_players(request):
                await asyncio.sleep(0)
                return web.json_response(sorted(players))
            async def fail(request):
                raise ValueError('within the server')
            async def serve():
                global runner, port, client
                app = web.Application()
                app.add_routes([web.get('/players', list_players), web.get('/fail', fail)])
                runner = web.AppRunner(app)
                await runner.setup()
                site = web.TCPSite(runner, '127.0.0.1', 0)
                await site.start()
                port = runner.addresses[0][1]
                client = aiohttp.ClientSession(f'http://127.0.0.1:{port}')
                ready.set()
            ready = asyncio.Event()
            ffext.once_timer(0, serve)
            @ffext.session_enter_callback
            async def enter(session, from_scene, extra_data):
                await ready.wait()
                players[session] = True
            @ffext.session_call(1)
            async def ask(session, message):
                async with client.get('/players') as response:
                    ffext.send_msg_session(session, 1, await response.json())
            @ffext.session_call(2)
            async def ask_in_vain(session, message):
                async with client.get('/fail') as response:
                    ffext.send_msg_session(session, 2, response.status)
            @ffext.session_call(3)
            async def talk(session, message):
                async with asyncio.TaskGroup() as group:
                    both = [group.create_task(one(session)) for _ in range(2)]
                ffext.send_msg_session(session, 3, [task.result() for task in both])
            async def one(session):
                async with client.get('/players') as response:
                    return response.status
            @ffext.session_call(4)
            async def close(session, message):
                await client.close()
                await runner.cleanup()
            "#,
        )
        .await;
        stage.enter("a", 1);
        stage.enter("b", 2);
        for cmd in [1, 2, 3, 4] {
            stage.frame(1, cmd, "null");
        }
        stage.finished(4).await;
        let seen = messages(&stage.take_actions());
        assert_eq!(
            seen,
            ["1/1: [\"a\",\"b\"]", "1/2: 500", "1/3: [200,200]"],
            "{}",
            log()
        );
        logged("within the server").await;
        assert!(stage.stop().await);
    });
}
