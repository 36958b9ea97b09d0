"""The script's own modules as they are on disk, and as they were loaded."""

import ast
import hashlib
import importlib.machinery as machinery
import os
import sys


class Refused(Exception):
    """Why nothing was loaded, in a line, with the traceback where there is one."""

    def __init__(self, reason, traceback=""):
        super().__init__(reason)
        self.traceback = traceback


class Source:
    """A module's file, as it is now."""

    def __init__(self, path):
        self.path = path
        try:
            with open(path, "rb") as file:
                self.text = file.read()
        except OSError as error:
            raise Refused(f"cannot read {path}: {error.strerror}") from None
        self.hash = digest(self.text)

    def compile(self):
        return compile(self.text, self.path, "exec", dont_inherit=True)


def digest(text):
    """The first 12 hexadecimal digits of the SHA-256 of a source."""
    return hashlib.sha256(text).hexdigest()[:12]


def digest_of(path):
    """The digest of what a file holds; None if that cannot be read."""
    try:
        return Source(path).hash
    except Refused:
        return None


def in_order(sources):
    """The names of ``sources``, a dict of Source by module, those that are
    imported by others before those; otherwise in the order that they had."""
    if len(sources) < 2:
        return list(sources)
    needs = {name: _imports(name, source) & sources.keys() for name, source in sources.items()}
    ordered = {}

    def add(name, within):
        if name in ordered or name in within:
            # Modules that import each other: one of them has to be the first.
            return
        for other in sorted(needs[name]):
            add(other, within | {name})
        ordered[name] = None

    for name in sources:
        add(name, frozenset())
    return list(ordered)


def _imports(name, source):
    """What a source may import, wherever in it: names of modules, and of others."""
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # That is told when it is compiled.
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found |= _with_packages(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = _base(name, source, node)
            found |= _with_packages(base)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found - {name}


def _with_packages(name):
    parts = name.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)}


def _base(name, source, node):
    """The module that ``from … import`` names."""
    if not node.level:
        return node.module
    is_package = os.path.basename(source.path) == "__init__.py"
    parts = name.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *filter(None, [node.module])])


# How own modules are imported. Python asks for a finder once for every folder;
# it then is ours as long as the folder is one of the script's own.

_is_own = None
_tell = None


def watch_imports(is_own, tell):
    """From now on ``tell(name, path, hash)`` is called for every module that
    ``is_own`` and is imported, before its source is run."""
    global _is_own, _tell
    if _is_own is None:
        sys.path_hooks.insert(0, _find)
    _is_own, _tell = is_own, tell
    # Folders that were looked into before.
    sys.path_importer_cache.clear()


class _Loader(machinery.SourceFileLoader):
    """Imports a module from its source and from nothing else: compiled code that
    lies beside it may be of a source that was written within the same second."""

    def get_code(self, fullname):
        path = self.get_filename(fullname)
        text = self.get_data(path)
        _tell(fullname, path, digest(text))
        return self.source_to_code(text, path)


def _find(folder):
    if not _is_own(os.path.join(os.path.abspath(folder), "")):
        raise ImportError("not one of the script's own folders")
    return _finder(folder)


_finder = machinery.FileFinder.path_hook(
    (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
    (_Loader, machinery.SOURCE_SUFFIXES),
    (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
)
