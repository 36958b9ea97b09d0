"""A scene with no daemon: a folder with scripts, and an event loop."""

import asyncio
import gc
import pathlib
import sys
import tempfile
import textwrap
import unittest

from . import fake_host

import ffext
from ffext import loading, registry, singletons


class SceneCase(unittest.IsolatedAsyncioTestCase):
    """Each test has a folder of its own, and an interpreter as good as new."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.before = set(sys.modules)
        sys.path.insert(0, folder.name)
        sys.dont_write_bytecode = True
        self.addCleanup(self._tidy)
        fake_host.forget()
        registry.registry.__init__()
        singletons.restore({})
        loading.loader.__init__()
        loading.loader.configure(str(self.folder / "main.py"), [folder.name])

    async def asyncSetUp(self):
        # Its reports of slow steps would be about the tests.
        asyncio.get_running_loop().set_debug(False)

    def _tidy(self):
        sys.path.pop(0)
        for name in set(sys.modules) - self.before:
            del sys.modules[name]
        gc.unfreeze()

    def write(self, source, name="main"):
        (self.folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        # A file that is written twice within a second looks unchanged to importlib.
        sys.path_importer_cache.clear()

    def load(self, source, name="main"):
        """Writes and loads a script that is right, and returns its module."""
        self.write(source, name)
        result = ffext.reload(name)
        self.assertTrue(result, str(result))
        self.result = result
        return sys.modules[name]

    def refuse(self, source, name="main"):
        """Writes and loads a script that is wrong, and returns why."""
        self.write(source, name)
        result = ffext.reload(name)
        self.assertFalse(result)
        self.assertTrue(str(result).startswith("error: "), str(result))
        return result.error

    async def settle(self, condition):
        """Waits until ``condition()`` holds."""
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.001)
