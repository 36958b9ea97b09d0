"""Imports modules whose source is in the host's binary."""

import importlib.abc
import importlib.util
import sys


class Importer(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads the modules that it was given."""

    def __init__(self, sources):
        self._sources = sources

    def find_spec(self, name, path=None, target=None):
        if name == "ffext.testing":
            # Another ffext may be installed which has it, and which is not this one.
            raise ModuleNotFoundError(
                "ffext.testing is for tests of scripts, which run without a scene", name=name
            )
        if name not in self._sources:
            return None
        spec = importlib.util.spec_from_loader(
            name, self, origin=self._origin(name), is_package=self.is_package(name)
        )
        # Tracebacks show the lines of what has a location.
        spec.has_location = True
        return spec

    def is_package(self, name):
        return name == "ffext"

    def get_source(self, name):
        return self._sources[name]

    def get_code(self, name):
        return compile(self.get_source(name), self._origin(name), "exec", dont_inherit=True)

    def _origin(self, name):
        path = name.replace(".", "/")
        return f"<{path}/__init__.py>" if self.is_package(name) else f"<{path}.py>"


def install(sources):
    """Makes the modules in ``sources`` importable, before any other of their names."""
    sys.meta_path.insert(0, Importer(sources))
