"""TensorFlow as the programs load it, in a process of its own."""

import os
import subprocess
import sys

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


def test_loading_prints_nothing_and_switches_onednn_on():
    done = run()
    assert done.stderr == ""
    assert done.stdout.split()[-1] == "True"


def test_the_environment_keeps_onednn_off_and_shows_all():
    done = run(TF_ENABLE_ONEDNN_OPTS="0", TF_CPP_MIN_LOG_LEVEL="0")
    assert done.stdout.split()[-1] == "False"
