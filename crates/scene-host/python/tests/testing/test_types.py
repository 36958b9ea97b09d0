"""The types that authors see: they are those of what there is, and find mistakes."""

import os
import pathlib
import re
import subprocess
import sys

import ffext

PYTHON = pathlib.Path(__file__).parents[2]
TYPING = PYTHON / "tests" / "typing"
CONFIG = PYTHON / "pyproject.toml"


def run(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(PYTHON), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=PYTHON,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def mypy(*files, cache):
    return run("mypy", "--config-file", CONFIG, "--cache-dir", cache, *files)


def test_a_right_script_passes_strict_mypy(tmp_path):
    done = mypy(TYPING / "right.py", cache=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_finds_every_mistake_and_no_other(tmp_path):
    done = mypy(TYPING / "wrong.py", cache=tmp_path)
    found = {int(number) for number in re.findall(r"wrong\.py:(\d+): error", done.stdout)}
    lines = (TYPING / "wrong.py").read_text().splitlines()
    wanted = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert found == wanted, done.stdout + done.stderr


def test_the_harness_passes_strict_mypy(tmp_path):
    done = mypy("-p", "ffext.testing", cache=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_pass_mypy(tmp_path):
    for folder in sorted((PYTHON.parent / "examples").iterdir()):
        scripts = [path for path in folder.glob("*.py") if not path.name.startswith("test_")]
        if folder.name == "seed":
            # It is of 2013.
            continue
        for script in scripts:
            done = run(
                "mypy",
                "--config-file=",
                "--check-untyped-defs",
                "--follow-imports=silent",
                *("--cache-dir", tmp_path, script),
            )
            assert done.returncode == 0, done.stdout + done.stderr


def test_the_stubs_are_what_there_is():
    done = run("mypy.stubtest", "ffext", "--mypy-config-file", CONFIG, "--allowlist",
               PYTHON / "tests" / "stubs.txt")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_name_is_documented_and_tested():
    names = set(ffext.__all__)
    folders = [PYTHON / "tests", PYTHON.parent / "tests", PYTHON.parent / "examples"]
    tests = [path for folder in folders for path in folder.rglob("*") if _is_test(path)]
    text = "\n".join(path.read_text() for path in tests)
    untested = {name for name in names if not re.search(rf"\bffext\.{name}\b", text)}
    assert not untested
    undocumented = {name for name in names if not getattr(ffext, name).__doc__}
    assert not undocumented


def _is_test(path):
    if path.suffix not in (".py", ".rs") or path.parent.name == "typing":
        return False
    return "tests" in path.parts or path.name.startswith("test_")
