"""What `pip install` gives an author: types, tests, and the fixture of pytest."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

PYTHON = pathlib.Path(__file__).parents[2]
ALL_OF_IT = ("_ffext", "ffext", "README.md", "pyproject.toml")


def run(*arguments, folder, path=""):
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_pip_installs_is_whole(tmp_path):
    source, site, script = tmp_path / "source", tmp_path / "site", tmp_path / "script"
    source.mkdir()
    script.mkdir()
    for name in ALL_OF_IT:
        copy = shutil.copytree if (PYTHON / name).is_dir() else shutil.copy
        copy(PYTHON / name, source / name)
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation")
    run("pip", "install", *quiet, "--target", site, source, folder=tmp_path)

    # What stands in the README is what an author begins with.
    readme = (PYTHON / "README.md").read_text()
    for block in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", readme, re.DOTALL):
        (script / block[0]).write_text(block[1])
    # The fixture comes with the package: nothing is said of a plugin.
    assert "1 passed" in run("pytest", "-q", script, folder=script, path=site)
    cache = ("--cache-dir", tmp_path / "cache")
    assert "no issues" in run("mypy", "--strict", *cache, "main.py", folder=script, path=site)
