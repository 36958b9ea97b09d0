"""Rabbits, and the world that they walk in. All of it is plain Python: players and calls
are in world.py."""

import math
import random
import secrets
import time

TICKS = 15  # times a second that the world moves on
SIZE = (640, 400)
SPEED = 120  # of a rabbit, in a second
FRUITS = 9  # lying around
COLOURS = 8  # that rabbits have
MOST = 200  # rabbits of a world, those that sleep among them
SLEEP = 600  # seconds that a rabbit waits for whoever has its key


class Rabbit:
    """Somebody in a world. It sleeps while nobody plays it."""

    def __init__(self, id: str, name: str, colour: int, bag: dict, x: float, y: float, trip: int = 0):
        self.id, self.name, self.colour, self.bag = id, name, colour, bag
        self.x, self.y, self.trip = x, y, trip
        self.key = secrets.token_urlsafe(16)  # whoever has it may play this rabbit
        self.asleep_since = time.time()
        self.awake = self.resident = self.packing = False
        self.origin: str | None = ""  # of one that has yet to wake here: where it is from
        self.stick: tuple[float, float] = (0.0, 0.0)
        self.goal: tuple[float, float] | None = None

    def luggage(self) -> dict:
        """All of it that goes along to the other world."""
        return {"id": self.id, "name": self.name, "colour": self.colour, "bag": self.bag,
                "x": self.x, "y": self.y, "trip": self.trip}  # fmt: skip

    def move(self, dt: float) -> None:
        dx, dy = self.stick
        if self.goal and not (dx or dy):
            dx, dy = self.goal[0] - self.x, self.goal[1] - self.y
            if math.hypot(dx, dy) < SPEED * dt:
                self.goal = None
                return
        far = math.hypot(dx, dy)
        if far and not self.packing:
            self.x = clamp(self.x + dx / far * SPEED * dt, 0, SIZE[0])
            self.y = clamp(self.y + dy / far * SPEED * dt, 0, SIZE[1])


class World:
    """This world. There is one in a scene, and it outlives every reload."""

    def __init__(self):
        self.name = self.other = self.fruit = ""
        # A rabbit is in the dict of one world. That is where it is, and nowhere else.
        self.rabbits: dict[str, Rabbit] = {}
        # Who has left: the key that it had here, its ticket for there, and when.
        self.left: dict[str, tuple[str, str, float]] = {}
        self.fruits: dict[int, tuple[float, float]] = {}
        self.numbers = 0
        self.bridge = {"open": False, "why": "nobody has looked yet"}

    def step(self, dt: float) -> None:
        while len(self.fruits) < FRUITS:
            self.numbers += 1
            self.fruits[self.numbers] = somewhere()
        for rabbit in self.awake():
            if rabbit.resident and not rabbit.goal and random.random() < dt / 2:
                rabbit.goal = somewhere()
            rabbit.move(dt)
            for number, (x, y) in list(self.fruits.items()):
                if math.hypot(x - rabbit.x, y - rabbit.y) < 20 and not (rabbit.resident or rabbit.packing):
                    del self.fruits[number]
                    rabbit.bag[self.fruit] = rabbit.bag.get(self.fruit, 0) + 1

    def awake(self) -> list[Rabbit]:
        return [rabbit for rabbit in self.rabbits.values() if rabbit.awake]

    def forget(self) -> None:
        """Who has slept for long, and where those went who left long ago."""
        before = time.time() - SLEEP
        self.rabbits = {id: each for id, each in self.rabbits.items() if each.awake or each.asleep_since > before}
        self.left = {id: each for id, each in self.left.items() if each[2] > before}

    def free_name(self, name: str) -> str:
        """Two may have the same idea; the second is "Hazel 2"."""
        name = name or "Nobody"
        taken = {rabbit.name for rabbit in self.rabbits.values() if rabbit.awake}
        free, number = name, 2
        while free in taken:
            free, number = f"{name} {number}", number + 1
        return free

    def picture(self) -> dict:
        return {
            "rabbits": [
                [r.id, r.name, r.colour, round(r.x, 1), round(r.y, 1), r.bag, r.resident, r.packing]
                for r in self.awake()
            ],
            "fruits": [[number, round(x), round(y)] for number, (x, y) in self.fruits.items()],
        }


def somewhere() -> tuple[float, float]:
    return random.uniform(40, SIZE[0] - 40), random.uniform(40, SIZE[1] - 40)


def clean(text: str, most: int) -> str:
    return " ".join(str(text).split())[:most]


def clamp(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))
