"""TensorFlow as the programs load it, each time in a process of its own."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
from mgtl_tf.utils.tf_setup import load_tensorflow
load_tensorflow()
from tensorflow.python.util import _pywrap_util_port as port
print(port.IsMklEnabled())
"""


def run(**variables):
    names = ("TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL")
    environment = {k: v for k, v in os.environ.items() if k not in names}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize(
    ("variables", "enabled"),
    [
        ({}, "True"),
        ({"TF_CPP_MIN_LOG_LEVEL": "0"}, "True"),
        ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "False"),
    ],
)
def test_onednn_is_on_unless_the_environment_says_otherwise(variables, enabled):
    assert run(**variables).stdout.split()[-1] == enabled


def test_loading_says_nothing():
    assert run().stderr == ""
