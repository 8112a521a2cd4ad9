"""Training by Keras' JAX backend is training by TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax", reason="JAX is not installed: pip install jax")

ROOT = Path(__file__).parents[2]
FEWER_PASSES = "--xla_backend_optimization_level=1"


def of_backend(name, folder):
    path = folder / f"{name}.npz"
    words = [sys.executable, "-m", "tests.training.backend_steps", str(path)]
    # XLA's last optimizations take longer than they save in ten steps.
    own = {"KERAS_BACKEND": name, "XLA_FLAGS": FEWER_PASSES}
    subprocess.run(words, check=True, cwd=ROOT, env={**os.environ, **own})
    return np.load(path, allow_pickle=False)


def relative(found, expected):
    """The norm of all differences in proportion to the expected norm."""
    norm = np.linalg.norm
    apart = norm([norm(a - b) for a, b in zip(found, expected, strict=True)])
    return apart / norm([norm(b) for b in expected])


def test_loss_gradients_and_ten_steps(tmp_path):
    ours = of_backend("jax", tmp_path)
    theirs = of_backend("tensorflow", tmp_path)
    assert ours.files == theirs.files

    def both(prefix):
        names = [name for name in ours.files if name.startswith(prefix)]
        return [ours[name] for name in names], [theirs[n] for n in names]

    # Something is learned: else equal weights would say nothing.
    assert theirs["losses"][-1] < theirs["losses"][0]
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-5)
    assert relative(*both("gradient")) < 1e-5
    assert relative(*both("trained")) < 1e-4
    np.testing.assert_allclose(ours["losses"], theirs["losses"], rtol=1e-4)
