"""The reference is what the docstrings make, and whole."""

import importlib.util
import pathlib

import ffext

PYTHON = pathlib.Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("reference", PYTHON / "reference.py")
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)


def test_the_reference_is_what_the_docstrings_make():
    made = reference.make()
    assert reference.FILE.read_text(encoding="utf-8") == made, "run python3 reference.py"


def test_every_public_name_is_in_the_reference_once():
    names = [one for entries in reference.SECTIONS.values() for one in entries if type(one) is str]
    assert sorted(names) == sorted(ffext.__all__)


def test_every_example_is_python():
    text = reference.FILE.read_text(encoding="utf-8")
    for block in text.split("```python\n")[1:]:
        code = block.partition("\n```")[0]
        assert code.strip(), "an example is empty"
        # A signature is not quite a call; and some use await where a handler would.
        code = code.replace("*, ", "")
        body = "\n".join(f"    {line}" for line in code.splitlines())
        compile(f"async def example():\n{body}\n    pass\n".replace("…", "..."), code, "exec")


def test_every_name_of_the_reference_has_an_example():
    text = reference.FILE.read_text(encoding="utf-8")
    parts = text.split("\n### ")[1:]
    blocks = {part.partition("\n")[0]: part.partition("\n## ")[0] for part in parts}
    # They are like what stands before them, or say it in a word.
    exempt = {
        "CallError",
        "DatabaseError",
        "NodeInfo",
        "dump_stdout_to_log",
        "escape",
        "ffdb_create",
        "is_exist",
        "restore",
    }
    # Of functions the first one is how they are called.
    wanted = {name: 1 if isinstance(getattr(ffext, name), type) else 2 for name in ffext.__all__}
    counts = {name: blocks[name].count("```python") for name in ffext.__all__}
    lacking = [name for name in wanted if name not in exempt and counts[name] < wanted[name]]
    assert not lacking
