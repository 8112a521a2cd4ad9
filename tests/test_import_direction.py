"""Imports go one way, and nothing happens at import (WORKSPACE.md)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Left to right; rooms on one line may not import each other, unless a room
# is a package that imports its own files.
ROAD = [
    ["polar"],
    ["mgtl_tf.utils"],
    ["mgtl_tf.config"],
    ["mgtl_tf.presets"],
    ["mgtl_tf.datasets"],
    ["mgtl_tf.synthetic"],
    ["mgtl_tf.losses", "mgtl_tf.adversarial_losses"],
    ["mgtl_tf.layers"],
    ["mgtl_tf.models"],
    ["mgtl_tf.metrics"],
    ["mgtl_tf.training"],
    ["mgtl_tf.evaluation"],
    ["mgtl_tf.export"],
    ["mgtl_tf.galleries"],
    ["mgtl_tf.retrieval"],
    ["mgtl_tf.analysis"],
    ["mgtl_tf.reproduction"],
    ["mgtl_tf.workflows"],
    ["mgtl_tf.serving"],
    ["experiments"],
]
PLACE = {room: place for place, rooms in enumerate(ROAD) for room in rooms}
LIGHT = [
    "polar",
    "mgtl_tf",
    "mgtl_tf.config",
    "mgtl_tf.presets",
    "mgtl_tf.datasets.readers",
    "mgtl_tf.datasets.decoded_cache.building",
    "mgtl_tf.datasets.decoded_cache.prepared",
    "mgtl_tf.workflows.prepare",
    "mgtl_tf.datasets.batch_sampler",
    "mgtl_tf.datasets.protocols",
    "mgtl_tf.synthetic",
    "mgtl_tf.metrics",
]


def _files():
    for package in ("polar", "mgtl_tf", "experiments"):
        yield from sorted((ROOT / package).rglob("*.py"))


def _module(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(p for p in parts if p != "__init__")


def _room(module):
    """The room of a module, or None for what is not ours."""
    for room in sorted(PLACE, key=len, reverse=True):
        if module == room or module.startswith(room + "."):
            return room
    return None


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{a.name}" for a in node.names)


FILES = [p for p in _files() if _module(p) not in ("mgtl_tf", "experiments")]
IDS = [_module(p) for p in FILES]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_no_arrow_points_the_wrong_way(path):
    own = _room(_module(path))
    assert own is not None, f"{path}: stands in no room of the road"
    for imported in _imports(ast.parse(path.read_text())):
        room = _room(imported)
        if room is not None and room != own:
            assert PLACE[room] < PLACE[own], f"{own} imports {imported}"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_nothing_happens_at_import(path):
    """Only definitions, constants, flags, and the call under __main__."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = ast.unparse(node.value.func)
            assert "define" in call.lower() or "flags." in call, call
        assert not isinstance(node, (ast.For, ast.While, ast.With, ast.Try))


def test_light_modules_do_not_load_tensorflow():
    """In programs (`experiments`): --help, prepare and what they start."""
    lines = [f"import {module}" for module in ["experiments", *LIGHT]]
    lines += ["import sys", "print('tensorflow' in sys.modules)"]
    lines += ["print('keras' in sys.modules)"]
    result = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["False", "False"]


def test_layers_losses_and_systems_are_free_of_tensorflow():
    """They also run on Keras' other backends."""
    paths = [ROOT / "polar/layer.py"]
    for room in ("losses", "layers", "models"):
        paths += sorted((ROOT / "mgtl_tf" / room).rglob("*.py"))
    for path in paths:
        imported = list(_imports(ast.parse(path.read_text())))
        assert not [i for i in imported if i.startswith("tensorflow")], path


def test_rooms_are_small():
    """At most 25 files and 5,000 lines in a folder."""
    rooms = {}
    for package in ("polar", "mgtl_tf", "experiments", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            rooms.setdefault(path.parent, []).append(path)
    for room, paths in rooms.items():
        lines = sum(len(path.read_text().splitlines()) for path in paths)
        assert len(paths) <= 25 and lines <= 5000, (room, len(paths), lines)


def test_mains_are_short():
    for path in (ROOT / "experiments").glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name == "main":
                assert node.end_lineno - node.lineno < 25, path
