"""Libraries from PyPI, and classes of messages that compilers have made: what
``./tests/run unit`` puts in tests/.venv."""

import pathlib
import site
import sys

_venv = pathlib.Path(__file__).resolve().parents[4] / "tests" / ".venv"
_packages = _venv / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"

if not (_venv / "messages").is_dir() or not _packages.is_dir():
    raise ImportError(f"run ./tests/run unit once: it makes {_venv}")
site.addsitedir(str(_packages))
