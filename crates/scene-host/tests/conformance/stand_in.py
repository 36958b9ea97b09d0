"""Says where the native half of ffext and its stand-in differ, and where both come from."""

import importlib.util
import inspect
import pathlib
import sys

import _ffext
import ffext

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "python" / "_ffext"
spec = importlib.util.spec_from_file_location(
    "stand_in_for_ffext", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
)
stand_in = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = stand_in
spec.loader.exec_module(stand_in)


def functions(module):
    found = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    return {name: one for name, one in found.items() if inspect.isroutine(one)}


def shape(function):
    parameters = inspect.signature(function).parameters.values()
    return [(one.name, one.default is one.empty) for one in parameters]


native = functions(_ffext)
offline = {name: one for name, one in functions(stand_in).items() if name in stand_in.__all__}
for name in sorted(native.keys() ^ offline.keys()):
    print(f"differs: only one of both has {name}")
for name in sorted(native.keys() & offline.keys()):
    if shape(native[name]) != shape(offline[name]):
        print(f"differs: the arguments of {name}")
    if name in ffext.__all__ and inspect.getdoc(native[name]) != inspect.getdoc(offline[name]):
        print(f"differs: the docstring of {name}")

print(f"compared {len(native)} functions")
print(f"ffext is {ffext.__spec__.origin}, _ffext is {_ffext.__spec__.origin}")
try:
    import ffext.testing
except ImportError as error:
    print(f"refused: {error}")
