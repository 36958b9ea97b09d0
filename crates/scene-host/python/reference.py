"""Writes REFERENCE.md, the reference of what scripts use, from the docstrings.

    python3 reference.py            writes it
    python3 reference.py --check    says whether it is what the docstrings make
"""

import inspect
import pathlib
import re
import sys

FILE = pathlib.Path(__file__).with_name("REFERENCE.md")
sys.path.insert(0, str(FILE.parent))
sys.dont_write_bytecode = True

import ffext  # noqa: E402
import ffext.database  # noqa: E402
import ffext.outcome  # noqa: E402
import ffext.testing  # noqa: E402
import ffext.timers  # noqa: E402

#: What there is, as a script looks for it. A text is a name of ffext.
SECTIONS = {
    "Sessions": [
        "session_verify_callback",
        "session_enter_callback",
        "session_leave_callback",
        "session_offline_callback",
        "session_call",
    ],
    "To clients": [
        "send_msg_session",
        "multi_send_msg_session",
        "broadcast_msg_session",
        "broadcast_msg_gate",
        "join_channel",
        "leave_channel",
        "send_channel",
        "close_session",
        "change_session_scene",
    ],
    "Services": [
        "reg_service",
        "call_service",
        "bridge_call",
        "bridge_call_service",
        "caller",
        "Caller",
        "is_exist",
        "lookup",
        "NodeInfo",
    ],
    "Time": ["once_timer", "interval", ffext.timers.Timer, ffext.timers.Interval],
    "Databases": [
        ffext.database,
        "ffdb_create",
        ffext.database.Database,
        ffext.database.Transaction,
        ffext.database.Rows,
        ffext.database.Result,
        "escape",
    ],
    "Messages": ["to_str", "json_to_value", "decode_buff"],
    "State": ["singleton", "alloc_id", "bind_event", "post", "snapshot", "restore"],
    "Code": ["reload", "on_reload", "version", ffext.outcome.Reload, ffext.outcome.Version],
    "The log": [
        "LOGTRACE",
        "LOGDEBUG",
        "LOGINFO",
        "LOGWARN",
        "LOGERROR",
        "LOGFATAL",
        "ERROR",
        "dump_stdout_to_log",
    ],
    "Errors": ["CallError", "DatabaseError", "ErrorText"],
    "Tests": [
        ffext.testing,
        ffext.testing.Scene,
        ffext.testing.Session,
        ffext.testing.Refused,
        ffext.testing.Message,
        ffext.testing.ScriptError,
        ffext.testing.LogEntry,
    ],
}

#: What is not of the class that it stands in, or only for the package itself.
_HIDDEN = {"disown", "replace", "start", "deliver", "read_reply", "count", "index"}

_HEAD = """# `ffext`: the reference

Everything that a scene's script has at hand, in the order of what it is for. The text is
that of the docstrings: `help(ffext.session_call)` says the same. How to write, check, test
and run a script is in [README.md](README.md).

This file is made by `reference.py`; change the docstrings, not this.
"""


def main():
    text = make()
    if "--check" not in sys.argv:
        FILE.write_text(text, encoding="utf-8")
        return 0
    if FILE.is_file() and FILE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{FILE} is not what the docstrings make: run python3 {__file__}")
    return 1


def make():
    """The whole reference."""
    parts = [_HEAD, _contents()]
    for title, entries in SECTIONS.items():
        parts.append(f"## {title}\n")
        for entry in entries:
            parts += _entry(entry)
    return "\n".join(parts).rstrip() + "\n"


def _contents():
    lines = []
    for title, entries in SECTIONS.items():
        names = [_link(entry) for entry in entries if not inspect.ismodule(entry)]
        lines.append(f"| [{title}](#{_anchor(title)}) | {', '.join(names)} |")
    return "\n".join(["| for | names |", "|---|---|", *lines, ""])


def _link(entry):
    name = entry if isinstance(entry, str) else entry.__name__
    return f"[`{name}`](#{_anchor(name)})"


def _anchor(name):
    """What GitHub calls a heading: of two that differ in case alone, the second is
    numbered."""
    anchor = name.lower().replace(" ", "-")
    return f"{anchor}-1" if name != anchor and hasattr(ffext, anchor) else anchor


def _entry(entry):
    if inspect.ismodule(entry):
        return [markdown(inspect.getdoc(entry)), ""]
    thing = getattr(ffext, entry) if isinstance(entry, str) else entry
    name = thing.__name__
    parts = [f"### {name}\n"]
    if inspect.isclass(thing):
        parts += _class(thing)
    else:
        parts += ["```python", f"ffext.{name}{_signature(thing)}", "```\n", _text(thing), ""]
    return parts


def _class(cls):
    parts = [_text(cls), ""]
    rows = [f"| `{name}` | {_line(text)} |" for name, text in _attributes(cls)]
    for name, member in _members(cls):
        if isinstance(member, property):
            rows.append(f"| `{name}` | {_line(inspect.getdoc(member))} |")
    if rows:
        parts += ["| attribute | |", "|---|---|", *rows, ""]
    for name, member in _members(cls):
        if inspect.isfunction(member):
            signature = _signature(member, without_self=True)
            parts += [f"**`{name}{signature}`**\n", markdown(inspect.getdoc(member)), ""]
    return parts


def _members(cls):
    """What a class, and what it is made of within the package, has for others."""
    found = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("ffext"):
            for name, member in vars(base).items():
                if not name.startswith("_") and name not in _HIDDEN and member.__doc__:
                    found[name] = member
    return found.items()


def _attributes(cls):
    """Names that have a comment which begins with ``#:``."""
    bases = [base for base in reversed(cls.__mro__) if base.__module__.startswith("ffext")]
    source = "\n".join(map(inspect.getsource, bases))
    pattern = r"((?:^ +#: ?.*\n|^ +# .*\n)+)^ +(?:self\.)?(\w+)(?: *[:=])"
    for comment, name in re.findall(pattern, source, re.M):
        if "#:" in comment and not name.startswith("_"):
            yield name, re.sub(r"\s*#:?\s*", " ", comment).strip()


def _line(text):
    return _inline(" ".join(text.split())).replace("|", "\\|")


def _text(thing):
    text = inspect.getdoc(thing)
    if not text:
        raise SystemExit(f"{thing!r} has no docstring")
    return markdown(text)


def _signature(thing, without_self=False):
    signature = inspect.signature(thing)
    parameters = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    if without_self:
        parameters = parameters[1:]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def markdown(text):
    """A docstring, which is a little reStructuredText, as Markdown."""
    lines, out = text.splitlines(), []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("```"):
            end = lines.index("```", at + 1)
            out += [*lines[at:end], "```"]
            at = end + 1
        elif re.fullmatch(r"=+( +=+)+", line):
            table, at = _table(lines, at)
            out += table
        elif line.endswith("::"):
            if line != "::":
                out.append(_inline(line[:-1]))
            code, at = _code(lines, at + 1)
            out += code
        elif line.startswith("    ") and (not out or not out[-1]):
            code, at = _code(lines, at)
            out += code
        else:
            out.append(_inline(line))
            at += 1
    made = [line for at, line in enumerate(out) if line or (at and out[at - 1])]
    return "\n".join(made).strip()


def _inline(line):
    line = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", line)
    return re.sub(r"``(.+?)``", r"`\1`", line)


def _code(lines, at):
    block = []
    while at < len(lines) and (lines[at].startswith("    ") or not lines[at].strip()):
        block.append(lines[at])
        at += 1
    code = inspect.cleandoc("\n".join(["", *block])).strip("\n")
    return ["", "```python", code, "```", ""], at


def _table(lines, at):
    """A simple table: its columns are where its rules are."""
    spans = [match.span() for match in re.finditer("=+", lines[at])]
    starts = [start for start, _ in spans] + [None]
    rows, header = [], False
    at += 1
    rules = 1
    while at < len(lines):
        line = lines[at]
        at += 1
        if re.fullmatch(r"=+( +=+)+", line):
            rules += 1
            following = lines[at] if at < len(lines) else ""
            if not following.strip():
                break
            header = True
            head = len(rows)
            continue
        cells = [line[a:b].strip() for a, b in zip(starts, starts[1:])]
        # What begins with nothing goes on with the row before it; so does a line
        # whose row is one phrase in the first column.
        if rows and not cells[0]:
            rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells)]
        elif rows and not any(cells[1:]):
            rows[-1][0] += " " + cells[0]
        else:
            rows.append(cells)
    cells = [[_inline(cell).replace("|", "\\|") for cell in row] for row in rows]
    if not header:
        cells.insert(0, [""] * len(spans))
    else:
        assert head == 1, "a table has one line of heads"
    made = ["| " + " | ".join(row) + " |" for row in cells]
    made.insert(1, "|" + "---|" * len(spans))
    return ["", *made, ""], at


if __name__ == "__main__":
    raise SystemExit(main())
