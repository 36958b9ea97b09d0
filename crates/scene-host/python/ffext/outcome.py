"""Which script runs, and how it came to that."""

from typing import NamedTuple


class Version(NamedTuple):
    """Which script runs."""

    version: int
    hash: str

    def __str__(self):
        return f"{self.version} ({self.hash})"


class Reload:
    """How a load ended. True if it succeeded; as text it says what happened."""

    def __init__(self, module, version, hash, kept=(), error=None, modules=None):
        #: The module that was loaded; the script's, if it was among several.
        self.module = module
        #: All that were loaded, in that order: those that others import are first.
        self.modules = (module,) if modules is None else tuple(modules)
        #: The version of the script from now on; a counter of loads.
        self.version = version
        #: 12 hexadecimal digits that are the same for the same sources: of the script
        #: and of all modules of its own.
        self.hash = hash
        #: What could not be replaced and runs on as old code, by name.
        self.kept = tuple(kept)
        #: What was wrong, or None.
        self.error = error

    def __bool__(self):
        return self.error is None

    def __str__(self):
        if self.error is not None:
            return f"error: {self.error}"
        text = f"ok: {self.module} version {self.version} ({self.hash})"
        others = [name for name in self.modules if name != self.module]
        if others:
            text += f", with {', '.join(others)}"
        if self.kept:
            text += f"; kept as it was: {', '.join(self.kept)}"
        return text

    def __repr__(self):
        return f"<Reload {self}>"
