"""What is wrong with a source that does not load, in words."""

import os
import traceback

from .log import printable


def traceback_of(error):
    """As Python prints it, from the script on; empty if it cannot be printed."""
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename.startswith("<ffext"):
        # How this package got there says nothing about the script.
        place = place.tb_next
    try:
        return printable("".join(traceback.format_exception(type(error), error, place)))
    except Exception:
        return ""


def describe(error, is_own):
    """What was wrong and where, in a line: ``main.py, line 3: NameError: …``."""
    frames = traceback.extract_tb(error.__traceback__, limit=-100)
    places = [(frame.filename, frame.lineno) for frame in frames if is_own(frame.filename)]
    what = type(error).__name__
    try:
        if isinstance(error, SyntaxError) and error.filename:
            what = printable(f"{what}: {error.msg}")
            # Where it is, unless that is no file: then who has had it compiled.
            if is_own(error.filename) or not places:
                places.append((error.filename, error.lineno))
        else:
            what = printable("".join(traceback.format_exception_only(error)).strip())
    except Exception:
        # It cannot even be printed.
        pass
    if not places:
        return what
    path, line = places[-1]
    return f"{os.path.basename(path)}, line {line}: {what}"
