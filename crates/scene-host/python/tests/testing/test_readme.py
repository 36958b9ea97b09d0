"""The second script of the project's README does what it says."""

import pathlib
import re

import ffext.testing

README = pathlib.Path(__file__).parents[5] / "README.md"
TABLES = (
    "CREATE TABLE purse (owner TEXT, gold INTEGER)",
    "CREATE TABLE things (owner TEXT, name TEXT)",
    "INSERT INTO purse VALUES ('ann', 35)",
)


def test_what_the_readme_shows_can_be_played(tmp_path):
    scripts = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)[:2]
    path = tmp_path / "game.py"
    path.write_text("\n".join(scripts))
    with ffext.testing.Scene(path, scenes=["scene@1"]) as scene:

        async def make_tables():
            for sql in TABLES:
                await scene.module.db.fetch(sql)

        async def owned():
            return [list(row) for row in await scene.module.db.fetch("SELECT name FROM things")]

        scene.run(make_tables)
        scene.serve("scene@1", 200, lambda message: {"name": "guild of " + message["member"]})
        ann = scene.login("ann")
        ann.send(2, "sword")
        assert scene.run(owned) == [["sword"]]
        ann.send(2, "sword")
        assert ann.expect(3) == "too dear"
        assert scene.run(owned) == [["sword"]]
        assert scene.call(201) == 1
        scene.advance(1)
        assert ann.expect(4) == {"online": 1}
        ann.send(2, "dragon")
        scene.expect_error(KeyError)
