"""Scenes of tests: clients, time, other nodes, errors, reloads, restarts."""

import logging
import sys
import textwrap
import time

import ffext.testing
import pytest

SCRIPT = """
import asyncio, logging, time
import ffext

class World:
    def __init__(self):
        self.ticks = 0
        self.left = None

@ffext.session_verify_callback
async def verify(key, online_time, ip, gate):
    await asyncio.sleep(20 if key == 'slow' else 0.1)
    return [key, {'ip': ip, 'gate': gate}] if key != 'no' else []

@ffext.session_enter_callback
def enter(session, from_scene, extra_data):
    ffext.join_channel(session, 'all')
    ffext.send_msg_session(session, 1, [from_scene, extra_data.decode()])

@ffext.session_leave_callback
def leave(session, to_scene, extra_data):
    return f'hp of {session}'

@ffext.session_offline_callback
def offline(session, online_time):
    ffext.send_channel('all', 2, session)

@ffext.session_call(3)
async def wait(session, seconds):
    await asyncio.sleep(seconds)
    ffext.send_msg_session(session, 3, seconds)

@ffext.session_call(4)
async def ask(session, what):
    try:
        answer = await ffext.call_service(what['name'], what['cmd'], what.get('message'), timeout=2)
    except ffext.CallError as error:
        answer = f'{error.kind}: {error}'
    ffext.send_msg_session(session, 4, answer)

@ffext.session_call(5)
def fail(session, text):
    raise ValueError(text)

@ffext.session_call(6)
def log(session, text):
    for write in (ffext.LOGTRACE, ffext.LOGDEBUG, ffext.LOGINFO, ffext.LOGWARN, ffext.LOGERROR):
        write('main', text)
    logging.getLogger('mine').warning('%s', text)

@ffext.session_call(7)
def state(session, text):
    for where in range(3):
        ffext.send_msg_session(session, 7, where, latest=True)
        ffext.send_msg_session(session, 8, where)

@ffext.reg_service(200)
async def slowly(seconds):
    await asyncio.sleep(seconds)
    return ffext.version()[0]

@ffext.snapshot(version=1)
async def save():
    await asyncio.sleep(0.5)
    return {'ticks': ffext.singleton(World).ticks}

@ffext.restore
async def restored(value, version):
    ffext.singleton(World).ticks = value['ticks'] + 1000 * version

def tick():
    ffext.singleton(World).ticks += 1

ffext.interval(1000, tick)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "main.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def scene(script):
    with ffext.testing.Scene(script, scenes=["scene@1"], gates=["gate@0", "gate@1"]) as scene:
        yield scene


def ticks(scene):
    return scene.run(lambda: ffext.singleton(scene.module.World).ticks)


def test_a_client_is_verified_and_enters(scene):
    ann = scene.login("ann", ip="192.0.2.7", gate="gate@1")
    assert ann and ann.reply == {"ip": "192.0.2.7", "gate": "gate@1"}
    assert ann.received == [(1, ["", ""])] and ann.received[0].body == b'["",""]'
    assert scene.time == pytest.approx(0.1)
    refused = scene.login("no")
    assert not refused and refused.reason == "refused"
    assert scene.login("slow").reason == "verification failed"
    assert scene.expect_error("time limit").kind == "verify"


def test_time_passes_when_the_test_says_so(scene):
    began, monotonic = time.time(), time.monotonic()
    scene.advance(3600)
    assert ticks(scene) == 3600
    assert (time.time() - began, time.monotonic() - monotonic) == (3600, 3600)
    ann = scene.login("ann").send(3, 5)
    with pytest.raises(AssertionError, match="no message of cmd 3"):
        ann.expect(3)
    assert ann.expect(3, within=10) == 5
    assert scene.time == pytest.approx(3605.1)


def test_a_handler_over_its_time_is_cancelled_and_the_next_frame_is_handled(scene):
    ann = scene.login("ann").send(3, 100).send(3, 1)
    assert ann.expect(3, within=40) == 1
    assert scene.expect_error("time limit").handler == "main.wait"


def test_a_script_that_never_rests_is_told_from_one_that_waits(scene):
    def again():
        ffext.once_timer(0, again)

    with pytest.raises(AssertionError, match="does not come to rest"):
        scene.run(again)


def test_other_nodes_are_stood_in_for(scene):
    ann = scene.login("ann")

    def ask(**what):
        return ann.send(4, what).expect(4, within=10)

    scene.serve("scene@1", 200, lambda message: {"got": message})
    assert ask(name="scene@1", cmd=200, message=[1]) == {"got": [1]}
    assert ask(name="scene@1", cmd=201) == "unimplemented: scene@1 does not serve command 201"
    assert ask(name="db@0", cmd=1) == "not_found: there is no db@0 in the group"

    async def forever(message):
        await scene._loop.create_future()

    def forbidden(message):
        raise ffext.CallError("forbidden", "not you")

    scene.serve("db@0", 1, forever)
    scene.serve("db@0", 2, forbidden)
    assert ask(name="db@0", cmd=1).startswith("deadline_exceeded")
    assert ask(name="db@0", cmd=2) == "forbidden: not you"
    assert ask(name="scene@0", cmd=200, message=1) == 1
    scene.gone("db@0")
    assert ask(name="db@0", cmd=2).startswith("not_found")


def test_an_assertion_in_a_stand_in_fails_the_test(scene):
    def never(message):
        assert False, "called"

    scene.serve("scene@1", 200, never)
    with pytest.raises(AssertionError, match="called"):
        scene.login("ann").send(4, {"name": "scene@1", "cmd": 200})


def test_the_group_is_looked_up(scene):
    scene.node("scene@1", load=5)
    scene.node("db@0", load=1, state="draining")
    info = scene.run(lambda: ffext.lookup("scene"))
    assert isinstance(info, ffext.NodeInfo)
    assert info == ("scene@0", "scene", "ready", 0, 1, info.hash)
    assert scene.run(lambda: ffext.lookup("db@0")).state == "draining"
    assert scene.run(lambda: ffext.lookup("db")) is None
    assert scene.run(lambda: ffext.is_exist("scene@1"))


def test_services_are_called_and_time_passes_meanwhile(scene):
    assert scene.call(200, 3) == 1 and scene.time == 3
    with pytest.raises(ffext.CallError) as caught:
        scene.call(200, 30)
    assert caught.value.kind == "deadline_exceeded"
    assert scene.expect_error("time limit").kind == "service"


def test_callbacks_are_told_the_error_as_text_with_a_kind(scene):
    told = []
    scene.run(lambda: ffext.call_service("db@0", 1, None, lambda *what: told.append(what)))
    ((error, answer),) = told
    assert isinstance(error, ffext.ErrorText) and error.kind == "not_found" and answer is None


def test_sessions_come_and_go_between_scenes(scene):
    ann, ben = scene.login("ann"), scene.arrive("ben", "scene@1", "gold=3")
    assert ben.expect(1) == ["scene@1", "gold=3"]
    assert ann.leave("scene@1") == b"hp of ann"
    assert scene.moves == [("ann", "scene@1", b"hp of ann")] and set(scene.sessions) == {"ben"}
    with pytest.raises(AssertionError, match="it is in scene@1"):
        ann.send(3, 0)
    assert scene.channel("all") == {"ann", "ben"}
    ben.close()
    assert ann.expect(2) == "ben", "channels reach those in other scenes"
    scene.come_back(ann)
    assert ann.take(1)[-1] == ["scene@1", ""]


def test_a_slow_client_gets_the_latest(scene):
    ann = scene.login("ann")
    ann.take()
    ann.pause()
    ann.send(7, "")
    assert ann.take() == []
    ann.resume()
    assert ann.received[1:] == [(7, 2), (8, 0), (8, 1), (8, 2)]


def test_an_error_that_nobody_expects_fails_the_test(script):
    with pytest.raises(AssertionError, match=r"(?s)call main.fail for session 'ann'.*ValueError: no"):
        with ffext.testing.Scene(script) as scene:
            scene.login("ann").send(5, "no")


def test_an_error_can_be_expected(scene):
    ann = scene.login("ann").send(5, "one").send(5, "two")
    assert scene.expect_error("two").session == ann.id
    assert isinstance(scene.expect_error(ValueError).error, ValueError)
    with pytest.raises(AssertionError, match="has not failed with KeyError"):
        scene.expect_error(KeyError)


def test_the_log_is_seen(scene):
    scene.login("ann").send(6, "hello")
    mine = [entry for entry in scene.logs if entry.text == "hello"]
    assert [entry.level for entry in mine] == ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "WARN"]
    assert mine[-1].module == "mine"


def test_a_script_that_does_not_load_fails_with_its_traceback(tmp_path):
    path = tmp_path / "main.py"
    path.write_text("import ffext\n\nffext.no_such_name\n")
    with pytest.raises(AssertionError, match="(?s)main.py\", line 3.*no_such_name"):
        with ffext.testing.Scene(path):
            pass
    with pytest.raises(FileNotFoundError, match="no_such.py"):
        ffext.testing.Scene("no_such.py")


def test_a_reload_runs_the_new_code_and_a_failed_one_the_old(scene, script):
    ann = scene.login("ann")
    script.write_text(SCRIPT.replace("raise ValueError(text)", "ffext.send_msg_session(session, 5, text)"))
    result = scene.reload()
    assert result and result.version == 2
    assert ann.send(5, "new").expect(5) == "new"
    script.write_text("nonsense(")
    assert not scene.reload()
    assert ann.send(5, "still").expect(5) == "still"


def test_a_restart_hands_over_the_state_and_the_sessions(scene):
    ann, number = scene.login("ann"), scene.run(ffext.alloc_id)
    scene.advance(10)
    had = ticks(scene)
    scene.restart()
    assert ticks(scene) == had + 1000
    assert ann.take(1)[-1] == ["scene@0", "hp of ann"]
    assert scene.run(ffext.alloc_id) > number
    assert ann.send(3, 0).expect(3) == 0


def test_nothing_is_left_of_a_scene(script, tmp_path):
    (tmp_path / "beside.py").write_text("")
    script.write_text("import beside\n" + SCRIPT)
    root, path, real = logging.root.handlers[:], sys.path[:], time.time
    for _ in range(2):
        with ffext.testing.Scene(script) as scene:
            assert "beside" in sys.modules
            module = scene.module
    assert not {"main", "beside"} & set(sys.modules)
    assert (logging.root.handlers, sys.path, time.time) == (root, path, real)
    assert module.World


def test_ffext_outside_of_a_scene_says_what_to_do():
    with pytest.raises(RuntimeError, match="ffext.testing.Scene"):
        ffext.send_msg_session("ann", 1, 1)


def test_the_fixture_loads_the_script_beside_the_test(tmp_path, pytestconfig):
    import subprocess

    (tmp_path / "main.py").write_text(SCRIPT)
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent(
            """
            def test_it(scene):
                assert scene.login('ann').reply['gate'] == 'gate@0'
            """
        )
    )
    folder = ffext.__path__[0].rpartition("/")[0]
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "-p", "ffext.testing.plugin", str(tmp_path)],
        env={"PYTHONPATH": folder, "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


WORLD = """
import asyncio
import ffext

@ffext.session_verify_callback
def verify(key, online_time, ip, gate):
    return [key]

@ffext.session_call(1)
async def tell(session, what):
    group, name, cmd, message = what
    try:
        if name:
            answer = await ffext.bridge_call_service(group, name, cmd, message, timeout=2)
        else:
            answer = await ffext.bridge_call(group, cmd, message, timeout=2)
    except ffext.CallError as error:
        answer = f'{error.kind}: {error}'
    ffext.send_msg_session(session, 1, answer)

@ffext.session_call(2)
async def fails(session, group):
    await ffext.bridge_call(group, 1)

@ffext.session_call(3)
def who(session, message):
    ffext.send_msg_session(session, 3, repr(ffext.caller()))

@ffext.reg_service(210)
async def said(message):
    async def later():
        await asyncio.sleep(1)
        return ffext.caller()
    assert isinstance(ffext.caller(), ffext.Caller)
    return [message, *ffext.caller(), await later() == await asyncio.create_task(later())]

@ffext.reg_service(211)
async def relayed(message):
    return await ffext.bridge_call('GroupB', 1, message)
"""


@pytest.fixture
def world(tmp_path):
    path = tmp_path / "world.py"
    path.write_text(WORLD)
    with ffext.testing.Scene(path, group="GroupA") as scene:
        yield scene


def test_other_groups_are_stood_in_for(world):
    ann = world.login("ann")

    def tell(group, cmd, message=None, name=None):
        return ann.send(1, [group, name, cmd, message]).expect(1, within=10)

    assert tell("GroupB", 1) == "not_found: no bridge of this group joins GroupB"
    world.serve("scene@0", 1, lambda message: ["zero", message], group="GroupB")
    world.serve("scene@1", 1, lambda message: ["one", message], group="GroupB")
    world.node("scene@0", load=5, group="GroupB")
    assert tell("GroupB", 1, 7) == ["one", 7]
    assert tell("GroupB", 1, 7, "scene@0") == ["zero", 7]
    assert tell("GroupB", 2).startswith("forbidden: GroupB does not export service.2")
    world.serve("scene@0", 2, lambda message: 1, group="GroupB")
    assert tell("GroupB", 2, None, "scene@1").startswith("unimplemented")
    assert tell("GroupB", 1, None, "scene@7") == "not_found: there is no scene@7 in GroupB"
    world.gone("scene@1", group="GroupB")
    assert tell("GroupB", 1, 7) == ["zero", 7]
    world.node("scene@0", state="draining", group="GroupB")
    assert tell("GroupB", 1, 7).startswith("not_found: nobody in GroupB")

    async def forever(message):
        await world._loop.create_future()

    def unavailable(message):
        raise ffext.CallError("unavailable", "the bridge has gone")

    world.serve("db@0", 3, forever, group="GroupC")
    world.serve("db@0", 4, unavailable, group="GroupC")
    assert tell("GroupC", 3).startswith("deadline_exceeded")
    assert tell("GroupC", 4) == "unavailable: the bridge has gone"
    assert not world.run(lambda: ffext.is_exist("db@0")), "it is in another group"
    world.restart()
    assert tell("GroupC", 4).startswith("unavailable"), "other groups outlive a restart"


def test_a_test_says_how_to_stand_in_for_a_group(world):
    ann = world.login("ann").send(2, "GroupB")
    assert "scene.serve('scene@0', 1, f, group='GroupB')" in str(world.expect_error("joins GroupB"))
    ann.send(2, "GroupA")
    world.expect_error("GroupA is this scene's own group")
    with pytest.raises(ValueError, match="own group"):
        world.serve("scene@0", 1, print, group="GroupA")


def test_a_script_knows_who_calls(world):
    assert world.call(210, "a", by="scene@0", group="GroupB") == ["a", "GroupB", "scene@0", True]
    assert world.call(210, "b", by="gate@0") == ["b", None, "gate@0", True]
    assert world.call(210, "c") == ["c", None, "scene@1", True]
    assert world.login("ann").send(3, "").expect(3) == "None"
    assert world.run(ffext.caller) is None
    world.serve("scene@0", 1, lambda message: message, group="GroupB")
    assert world.call(211, "d", by="scene@0", group="GroupB") == "d"
    for wrong in ({"by": "scene"}, {"group": "Group B"}, {"group": "GroupA"}):
        with pytest.raises(ValueError):
            world.call(210, "", **wrong)
