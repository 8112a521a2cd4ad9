"""Which code and which data a run was made with, as short hashes."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import mgtl_tf
from mgtl_tf.config.systems import SYSTEMS
from mgtl_tf.datasets.records import Dataset

_ROOT = Path(mgtl_tf.__file__).parents[1]
_OURS = {"mgtl_tf", "polar"}
# What makes a study's data, trains on them and measures. The registry loads
# systems by their names, which no import statement tells.
_BEGUN_FROM = ("train", "evaluate", "prepare", "world")
_COMPUTES_NOTHING = {
    "absl",
    "filelock",
    "jinja2",
    "matplotlib",
    "pydantic",
    "pymilvus",
    "tqdm",
}


@functools.cache
def code_version() -> str:
    """A hash of all that decides a run's weights and recall.

    That is every module of ours that making data, training and evaluation
    import, however indirectly, and the versions of the libraries that compute
    in them. Comments, docstrings and layout are left out.
    """
    digest = hashlib.sha256()
    for name, path in sorted(deciding_modules().items()):
        digest.update(f"{name} {code_alone(path.read_bytes())}\n".encode())
    for library, installed in sorted(_library_versions().items()):
        digest.update(f"{library} {installed}\n".encode())
    return digest.hexdigest()[:16]


def deciding_modules() -> dict[str, Path]:
    """Module to file: ours that a run's figures may depend on."""
    waiting = [f"mgtl_tf.workflows.{name}" for name in _BEGUN_FROM]
    waiting += [system.rpartition(".")[0] for system in SYSTEMS.values()]
    found: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        if name not in found and (path := _file_of(name)) is not None:
            found[name] = path
            # Importing a module runs the packages that it lies in.
            waiting += [*_imported(path), name.rpartition(".")[0]]
    return found


def _file_of(name: str) -> Path | None:
    """A module's or package's file; None for a name that is not ours."""
    if name.partition(".")[0] not in _OURS:
        return None
    stem = _ROOT.joinpath(*name.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imported(path: Path) -> Iterator[str]:
    """What its import statements name, those inside functions as well."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _library_versions() -> dict[str, str]:
    """Version of every installed library that computes in those modules."""
    names = {
        name.partition(".")[0]
        for path in deciding_modules().values()
        for name in _imported(path)
    }
    there = packages_distributions()
    return {
        name: version(there[name][0])
        for name in names & there.keys() - _OURS - _COMPUTES_NOTHING
    }


def code_alone(source: bytes) -> str:
    """A module as text without its comments, docstrings and layout.

    Raises:
        SyntaxError: for what is not Python.
    """
    return _told(ast.parse(source))


def _told(node: Any) -> str:
    """A syntax tree, told alike by every version of Python.

    Fields that are empty are left out: newer versions have more of them.
    """
    if isinstance(node, list):
        return f"[{', '.join(map(_told, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(fields.get("body"), list) and _has_docstring(node):
        fields["body"] = fields["body"][1:]
    told = [
        f"{name}={_told(value)}"
        for name, value in fields.items()
        if value not in (None, [])
    ]
    return f"{type(node).__name__}({', '.join(told)})"


def _has_docstring(node: ast.AST) -> bool:
    """Whether a module, class or function begins with a docstring."""
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    return isinstance(node, kinds) and ast.get_docstring(node) is not None


def data_version(dataset: Dataset) -> str:
    """A hash of a data set's pairs: ids, positions, sizes of their files.

    The folder that it lies in does not matter.

    Raises:
        OSError: for a file that is not there.
    """
    digest = hashlib.sha256()
    for pairs in (dataset.train, dataset.validation):
        digest.update(f"{len(pairs)} pairs\n".encode())
        for pair in pairs:
            sizes = (pair.ground.stat().st_size, pair.aerial.stat().st_size)
            digest.update(f"{pair.id} {pair.position} {sizes}\n".encode())
    return digest.hexdigest()[:16]
