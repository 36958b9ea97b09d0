"""A scene of ffext.testing does what the host does: both play the same steps, and
see what stands in one file. The other half is tests/scene/conformance.rs."""

import os
import pathlib

import ffext.testing

FOLDER = pathlib.Path(__file__).parents[3] / "tests" / "conformance"


class Player:
    """Plays the steps, and writes down what comes of them."""

    def __init__(self, scene):
        self.scene = scene
        self.clients = {}
        self.out = []

    def stand_in(self):
        """The other group."""

        def refuses(message):
            raise ffext.CallError("handler", "not today")

        answers = {1: lambda body: body, 2: lambda body: b"{", 3: refuses}
        for cmd, answer in answers.items():
            self.scene.serve("scene@0", cmd, answer, bytes, group="GroupB")

    def play(self, step):
        kind, _, rest = step.partition(" ")
        getattr(self, kind)(rest)
        self.scene.advance(0.5)
        for client in self.clients.values():
            for message in client.received[client.seen :]:
                latest = "!" if message.latest else ""
                self.out.append(f"{client.id} {message.cmd}{latest} {message.body.decode()}")
            client.seen = len(client.received)
            if client.closed and not client.told:
                client.told = True
                self.out.append(f"{client.id} closed: {client.closed}")
        for who, where, extra in self.scene.moves:
            self.out.append(f"{who} went to {where} with {extra.decode()}")
        self.scene.moves.clear()
        log = "\n".join([*map(str, self.scene.errors), *map(str, self.scene.logs)])
        self.scene.errors.clear()
        self.scene.logs.clear()
        return log

    def verify(self, key):
        verdict = self.scene.run(lambda: self.scene._stage.verify(key, 0, "", "gate@0"))
        if verdict:
            name, reply, _ = verdict
            self.out.append(f"accepted {name} {reply.decode()}")
        else:
            self.out.append(f"refused: {verdict.reason}")

    def enter(self, name):
        number = len([one for one in self.clients if one.rstrip("+") == name])
        client = self.clients[name + "+" * number] = self.scene.arrive(name, "")
        client.seen, client.told = 0, False

    def frame(self, rest):
        name, cmd, body = rest.split(" ", 2)
        self.clients[name].send(int(cmd), body.encode())

    def frames(self, rest):
        """Two frames at once."""
        name, cmd, *bodies = rest.split(" ")
        stage, client = self.scene._stage, self.clients[name]

        def send():
            for body in bodies:
                stage.frame(client, int(cmd), body.encode())

        self.scene.run(send)

    def eval(self, rest, cmd=1):
        name, text = rest.split(" ", 1)
        self.clients[name].send(cmd, text)

    def offline(self, name):
        self.clients[name].close()

    def across(self, rest):
        group, name, rest = rest.split(" ", 2)
        self.call(rest, by=name, group=group)

    def call(self, rest, by="gate@0", group=None):
        who = {"by": by, "group": group}
        cmd, _, body = rest.partition(" ")
        try:
            answer = self.scene.call(int(cmd), body.encode(), type=bytes, **who)
        except ffext.CallError as error:
            # How JSON is wrong, two libraries say in two ways.
            self.out.append(f"failed {error.kind}: {str(error).partition('not JSON')[0]}")
        else:
            self.out.append(f"answer {answer.decode()}")


setattr(Player, "await", lambda self, rest: self.eval(rest, 2))


def test_a_scene_of_a_test_does_what_the_host_does():
    steps = (FOLDER / "steps.txt").read_text()
    made = []
    with ffext.testing.Scene(FOLDER / "main.py", scenes=["scene@1"], group="GroupA") as scene:
        player = Player(scene)
        player.stand_in()
        log = ""
        for line in steps.splitlines():
            if line.startswith("> "):
                made += [line]
                log = player.play(line[2:])
                made += player.out
                player.out.clear()
            elif line.startswith("~ "):
                assert line[2:] in log, f"{line} was not logged after {made[-1]}:\n{log}"
                made += [line]
            elif line.startswith("#"):
                made += [line]
    made = "\n".join(made) + "\n"
    if os.environ.get("REWRITE"):
        (FOLDER / "steps.txt").write_text(made)
    assert made.splitlines() == steps.splitlines()
