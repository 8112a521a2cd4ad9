"""Prints what Python loads to train and evaluate: a module and its file a line.

Every system is loaded by its name, as the registry does.
"""

import importlib
import sys

from mgtl_tf.config import SYSTEMS

if __name__ == "__main__":
    systems = [c.model_class.rpartition(".")[0] for c in SYSTEMS.values()]
    for name in ("mgtl_tf.workflows.train", "mgtl_tf.workflows.evaluate"):
        importlib.import_module(name)
    for name in systems:
        importlib.import_module(name)
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ("mgtl_tf", "polar"):
            print(name, module.__file__)
