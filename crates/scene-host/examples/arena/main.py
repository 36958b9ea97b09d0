"""An arena: rabbits with jetpacks, carrots, and something to throw at each other.

Play it in a browser, change a number below, save: everybody who plays sees it at
once, and nobody is disconnected. The README beside this file says what to try.
"""

import itertools
import math
import random

import ffext

# What to change for fun ---------------------------------------------------------
TICKS = 20  # times a second that the world moves on
WORLD = (2400, 1500)  # how wide and high it is
BOTS = 6  # rabbits that play by themselves; 0 for none
CARROTS = 50  # lying around, wherever
ROT = 10.0  # seconds that those last which were knocked out of somebody

THRUST = 1100  # how hard a jetpack pushes
GRIP = 2.2  # how soon a rabbit glides to a stop; 0 is ice
TURN = 9.0  # how fast one turns, radians a second
SIZE = 20  # how big a rabbit is

RELOAD = 0.22  # seconds between two shots
SHOT_SPEED = 900
SHOT_LIFE = 0.9  # seconds
KICK = 260  # how hard a hit pushes
BUMP = 60  # how hard two push each other away
LIVES = 3  # hits that it takes
HEAL = 5.0  # seconds without a hit until a life is back
PAUSE = 2.0  # seconds until a rabbit is back

COLOURS = ["#ff4d5e", "#4dd2ff", "#ffd24d", "#7dff8a", "#c58bff", "#ff8ad1", "#d6f04d", "#6ee7d8"]
CARROT_COLOUR = "#ff8c42"
BACKGROUND = "#0b0d17"
# --------------------------------------------------------------------------------

STEER, STATE, NEWS, RULES = 1, 2, 3, 4  # commands: the first from clients, the others to them

BOT_NAMES = ["Hazel", "Bigwig", "Fiver", "Clover", "Dandelion", "Pipkin", "Bluebell", "Holly"]


class Rabbit:
    """Somebody who plays: a client's session, or a bot."""

    def __init__(self, name: str, colour: int, bot: bool = False):
        self.name, self.colour, self.bot = name, colour, bot
        self.stick = (0.0, 0.0)  # where it wants to go, no longer than 1
        self.firing = False
        self.carrots = 0
        self.spawn()

    def spawn(self) -> None:
        self.x, self.y = random.uniform(0, WORLD[0]), random.uniform(0, WORLD[1])
        self.vx = self.vy = 0.0
        self.angle = random.uniform(-math.pi, math.pi)
        self.lives, self.healing, self.loading, self.away = LIVES, 0.0, 0.0, 0.0

    def move(self, dt: float) -> None:
        sx, sy = self.stick
        push = min(math.hypot(sx, sy), 1.0)
        if push > 0.05:
            turn = wrap(math.atan2(sy, sx) - self.angle)
            self.angle = wrap(self.angle + clamp(turn, -TURN * dt, TURN * dt))
            self.vx += math.cos(self.angle) * THRUST * push * dt
            self.vy += math.sin(self.angle) * THRUST * push * dt
        slow = math.exp(-GRIP * dt)
        self.vx, self.vy = self.vx * slow, self.vy * slow
        self.x, self.vx = bounce(self.x + self.vx * dt, self.vx, WORLD[0])
        self.y, self.vy = bounce(self.y + self.vy * dt, self.vy, WORLD[1])
        self.loading -= dt
        self.healing += dt
        if self.healing > HEAL:
            self.lives, self.healing = min(self.lives + 1, LIVES), 0.0


class World:
    """All there is. There is one, and it outlives every reload."""

    def __init__(self):
        self.rabbits: dict[str, Rabbit] = {}
        self.carrots: dict[int, tuple[float, float]] = {}
        self.rotting: dict[int, float] = {}  # number of a carrot -> seconds left
        self.shots: dict[int, list] = {}  # number -> [x, y, vx, vy, seconds left, whose]
        self.ticks = self.numbers = 0

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def add(self, name: str, bot: bool = False) -> None:
        taken = [rabbit.colour % len(COLOURS) for rabbit in self.rabbits.values()]
        colour = min(range(len(COLOURS)), key=taken.count)
        self.rabbits[name] = Rabbit(name, colour, bot)

    def drop_carrot(self, x: float, y: float) -> int:
        number = self.number()
        self.carrots[number] = (clamp(x, 0, WORLD[0]), clamp(y, 0, WORLD[1]))
        return number

    def rot(self, dt: float) -> None:
        for number, left in list(self.rotting.items()):
            self.rotting[number] = left - dt
            if left <= dt or number not in self.carrots:
                del self.rotting[number]
                self.carrots.pop(number, None)

    def step(self, dt: float) -> None:
        self.ticks += 1
        self.keep_company()
        self.rot(dt)
        while len(self.carrots) - len(self.rotting) < CARROTS:
            self.drop_carrot(random.uniform(0, WORLD[0]), random.uniform(0, WORLD[1]))
        for rabbit in self.rabbits.values():
            if rabbit.away > 0:
                rabbit.away -= dt
                if rabbit.away <= 0:
                    rabbit.spawn()
                continue
            if rabbit.bot:
                think(rabbit, self)
            rabbit.move(dt)
            if rabbit.firing and rabbit.loading <= 0:
                self.fire(rabbit)
            for number, (x, y) in list(self.carrots.items()):
                if math.hypot(x - rabbit.x, y - rabbit.y) < SIZE * 1.8:
                    del self.carrots[number]
                    rabbit.carrots += 1
        for one, other in itertools.combinations(self.rabbits.values(), 2):
            bump(one, other)
        for number, shot in list(self.shots.items()):
            self.fly(number, shot, dt)

    def keep_company(self) -> None:
        """As many bots as there should be."""
        bots = [rabbit.name for rabbit in self.rabbits.values() if rabbit.bot]
        for name in bots[BOTS:]:
            del self.rabbits[name]
        for _ in range(len(bots), BOTS):
            names = [name for name in BOT_NAMES if name not in self.rabbits] or BOT_NAMES
            self.add(self.free_name(random.choice(names)), bot=True)

    def free_name(self, name: str) -> str:
        """Two may have the same idea; the second is "Hazel 2"."""
        free, number = name, 2
        while free in self.rabbits:
            free, number = f"{name} {number}", number + 1
        return free

    def fire(self, rabbit: Rabbit) -> None:
        rabbit.loading = RELOAD
        cos, sin = math.cos(rabbit.angle), math.sin(rabbit.angle)
        x, y = rabbit.x + cos * SIZE * 1.4, rabbit.y + sin * SIZE * 1.4
        vx, vy = rabbit.vx + cos * SHOT_SPEED, rabbit.vy + sin * SHOT_SPEED
        self.shots[self.number()] = [x, y, vx, vy, SHOT_LIFE, rabbit.name]

    def fly(self, number: int, shot: list, dt: float) -> None:
        x, y, vx, vy, left, whose = shot
        for rabbit in self.rabbits.values():
            if rabbit.name != whose and rabbit.away <= 0:
                # The nearest that it comes in this step.
                t = clamp(((rabbit.x - x) * vx + (rabbit.y - y) * vy) / (vx * vx + vy * vy), 0, dt)
                if math.hypot(x + vx * t - rabbit.x, y + vy * t - rabbit.y) < SIZE * 1.2:
                    del self.shots[number]
                    return self.hit(rabbit, self.rabbits.get(whose), vx, vy)
        shot[0], shot[1], shot[4] = x + vx * dt, y + vy * dt, left - dt
        if shot[4] <= 0 or not (0 < shot[0] < WORLD[0] and 0 < shot[1] < WORLD[1]):
            del self.shots[number]

    def hit(self, rabbit: Rabbit, by: "Rabbit | None", vx: float, vy: float) -> None:
        rabbit.vx += vx / SHOT_SPEED * KICK
        rabbit.vy += vy / SHOT_SPEED * KICK
        rabbit.lives, rabbit.healing = rabbit.lives - 1, 0.0
        if rabbit.lives > 0:
            return
        # Half of what it has is for whoever comes first.
        lost = rabbit.carrots // 2
        rabbit.carrots -= lost
        for _ in range(min(lost, 30)):
            x, y = rabbit.x + random.gauss(0, 60), rabbit.y + random.gauss(0, 60)
            self.rotting[self.drop_carrot(x, y)] = ROT
        rabbit.away, rabbit.firing = PAUSE, False
        tell(NEWS, {"out": rabbit.name, "by": by.name if by else ""})

    def picture(self) -> dict:
        """All that a client has to know to draw the world as it is now."""
        return {
            "tick": self.ticks,
            "rabbits": [
                [r.name, r.colour % len(COLOURS), round(r.x), round(r.y), round(r.angle, 2),
                 r.carrots, r.lives if r.away <= 0 else 0, round(min(math.hypot(*r.stick), 1), 1)]
                for r in self.rabbits.values()
            ],
            "shots": [[n, round(s[0]), round(s[1]), s[5]] for n, s in self.shots.items()],
            "carrots": [[n, round(x), round(y)] for n, (x, y) in self.carrots.items()],
        }


def think(bot: Rabbit, world: World) -> None:
    """What a bot does: it hunts whoever is near for a while, then gathers for a while."""
    others = [r for r in world.rabbits.values() if r is not bot and r.away <= 0]
    foe = min(others, key=lambda r: distance(bot, r.x, r.y), default=None)
    hunts = (world.ticks // (4 * TICKS) + bot.colour) % 2
    bot.firing, push = False, 0.8
    if foe and hunts and bot.lives > 1 and distance(bot, foe.x, foe.y) < 450:
        flight = distance(bot, foe.x, foe.y) / SHOT_SPEED
        dx = foe.x + (foe.vx - bot.vx) * flight - bot.x
        dy = foe.y + (foe.vy - bot.vy) * flight - bot.y
        # It is not the best of shots, and does not come too near.
        bot.firing = abs(wrap(math.atan2(dy, dx) - bot.angle)) < 0.25 and random.random() < 0.2
        push = 0.8 if distance(bot, foe.x, foe.y) > 220 else 0.1
    else:
        x, y = min(world.carrots.values(), key=lambda c: distance(bot, *c), default=(0, 0))
        dx, dy = x - bot.x - bot.vx * 0.3, y - bot.y - bot.vy * 0.3
    far = math.hypot(dx, dy) or 1.0
    bot.stick = (dx / far * push, dy / far * push)


def bump(one: Rabbit, other: Rabbit) -> None:
    """Two that touch push each other away."""
    far = distance(one, other.x, other.y)
    if far > SIZE * 2 or one.away > 0 or other.away > 0:
        return
    nx, ny = ((other.x - one.x) / far, (other.y - one.y) / far) if far else (1.0, 0.0)
    push = (one.vx - other.vx) * nx + (one.vy - other.vy) * ny + BUMP
    if push > 0:
        one.vx, one.vy = one.vx - push * nx, one.vy - push * ny
        other.vx, other.vy = other.vx + push * nx, other.vy + push * ny


def distance(rabbit: Rabbit, x: float, y: float) -> float:
    return math.hypot(x - rabbit.x, y - rabbit.y)


def clamp(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))


def wrap(angle: float) -> float:
    return (angle + math.pi) % math.tau - math.pi


def bounce(place: float, speed: float, end: float) -> tuple[float, float]:
    if 0 <= place <= end:
        return place, speed
    return clamp(place, 0, end), -speed * 0.6


# From here on it is all sessions and messages -----------------------------------


def world() -> World:
    return ffext.singleton(World)


def tell(cmd: int, value: dict) -> None:
    ffext.broadcast_msg_session(cmd, value)


def rules() -> dict:
    """What clients need of the numbers above."""
    return {
        "world": WORLD, "ticks": TICKS, "size": SIZE, "lives": LIVES, "colours": COLOURS,
        "carrot": CARROT_COLOUR, "background": BACKGROUND,
    }


@ffext.session_verify_callback
def verify(name: str, online_time: int, ip: str, gate_name: str) -> list:
    name = " ".join(name.split())[:16]
    if not name:
        return []
    name = world().free_name(name)
    return [name, {"name": name, "rules": rules()}]


@ffext.session_enter_callback
def entered(name: str, from_scene: str, extra_data: bytes) -> None:
    world().add(name)
    tell(NEWS, {"came": name})


@ffext.session_offline_callback
def went(name: str, online_time: int) -> None:
    world().rabbits.pop(name, None)
    tell(NEWS, {"went": name})


@ffext.session_call(STEER)
def steered(name: str, message: list) -> None:
    x, y, firing = message
    rabbit = world().rabbits[name]
    rabbit.stick = (clamp(float(x), -1, 1), clamp(float(y), -1, 1))
    rabbit.firing = bool(firing) and rabbit.away <= 0


@ffext.on_reload
def reloaded(result) -> None:
    """Everybody draws by the new numbers, too."""
    tell(RULES, rules())


def tick() -> None:
    world().step(1 / TICKS)
    # Each of these is the whole world, so that whoever is slow may miss some.
    ffext.broadcast_msg_session(STATE, world().picture(), latest=True)


ffext.interval(1000 / TICKS, tick)
