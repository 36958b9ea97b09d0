"""Tests of the package with no daemon: ``python3 -m unittest discover -s tests -t .``"""

from . import fake_host  # noqa: F401  the package imports what it puts in place
