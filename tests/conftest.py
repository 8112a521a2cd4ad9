"""What tests of several rooms share."""

import gc
import importlib
import shutil
import subprocess
import sys

import pytest
from absl import flags
from hypothesis import settings

LONGEST = [
    "test_systems_learn",
    "test_every_system",
    "test_systems_exported",
    "test_layer_contract",
    "test_jax",
    "test_ray",
    "test_several_workers",
    "test_kills",
    "test_end_to_end",
    "test_complexity",
    "test_precision",
    "test_serving_document",
    "test_split_batches",
    "test_docs",
    "test_published_sizes",
    "test_toker",
    "test_formats",
    "test_export_index_locate",
    "test_order",
    "test_train",
    "test_regmi",
    "test_transgeo",
    "test_checkpoint",
    "test_frozen_blocks",
    "test_vigor",
    "test_any_folder_name",
    "test_quiet",
    "test_served",
    "test_saved_model",
    "test_own_data",
    "test_mgtl",
]


def pytest_addoption(parser):
    """Tests marked `large` are left out unless they are asked for."""
    parser.addoption("--run-large", action="store_true")


def pytest_configure():
    """Graphs are millions of small objects: to search them all for cycles
    every few hundred new ones would take a twentieth of the tests' time."""
    gc.set_threshold(100_000, 50, 100)
    # That an example takes long on a busy machine is no fault.
    settings.register_profile("suite", deadline=None)
    settings.load_profile("suite")


def pytest_runtest_setup(item):
    if item.get_closest_marker("large"):
        if not item.config.getoption("--run-large"):
            pytest.skip("large: run with --run-large")


def pytest_collection_modifyitems(items):
    """The longest files first: in the end no process waits for the other."""

    def turn(item):
        name = item.path.stem
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=turn)


@pytest.fixture
def disk(tmp_path):
    """A disk of two megabytes, and what mounts it anew with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        return subprocess.run(command, capture_output=True).returncode == 0

    if not shutil.which("mount") or not mount("size=2m"):
        pytest.skip("mounting a small disk needs root")
    yield folder, mount
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="session")
def tiny_export(tmp_path_factory):
    """See tests/exports.py; nobody writes into its folders."""
    from tests.exports import PROBE, write_export

    return write_export(tmp_path_factory.mktemp("export"), PROBE, ())


@pytest.fixture(scope="module")
def plain_graphs():
    """Graphs run as they were traced.

    For tests that trace many and run each a few times: rewriting a train
    step takes TensorFlow longer than such a test runs it.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": True}
    )
    yield
    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": False}
    )


@pytest.fixture
def eager():
    """No function is traced: of a small network that takes longer than it
    does to run a few times."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


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
