"""What tests of several rooms share."""

import importlib
import sys

import pytest
from absl import flags

LONGEST = [
    "test_kill_and_resume",
    "test_end_to_end",
    "test_several_workers",
    "test_split_batches",
    "test_formats",
    "test_every_system",
    "test_export_index_locate",
    "test_serving_document",
    "test_saved_model",
    "test_served",
    "test_order",
    "test_prepare",
    "test_trouble",
]


def pytest_collection_modifyitems(items):
    """The longest files first: in the end no process waits for the other."""

    def turn(item):
        name = item.path.stem
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=turn)


@pytest.fixture(scope="module")
def load_program():
    """Imports a program of `experiments` for the tests of one module.

    Two programs define flags of the same name, each of which absl takes once
    a process; so they go when the module's tests have ended.
    """
    known, loaded = set(flags.FLAGS), []

    def load(name):
        loaded.append(f"experiments.{name}")
        return importlib.import_module(loaded[-1])

    yield load
    for name in set(flags.FLAGS) - known:
        delattr(flags.FLAGS, name)
    for name in loaded:
        sys.modules.pop(name, None)
