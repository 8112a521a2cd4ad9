"""Systems at their published sizes, whose weights nobody needs."""

import contextlib

import keras
from keras.src.backend.common import global_state

import mgtl_tf


@contextlib.contextmanager
def shapes_alone():
    """Weights that are made in it have shapes: no memory, no numbers.

    Keras keeps them in a list, to give them their numbers when it next traces
    any layer: gigabytes, were the list not emptied.
    """
    with keras.StatelessScope(initialize_variables=False):
        yield
    global_state.set_global_attribute("uninitialized_variables", [])


def published(system, **fields):
    """A system's model, of `shapes_alone`."""
    config = mgtl_tf.ModelConfig(system=system, **fields)
    with shapes_alone():
        return mgtl_tf.build_model(config)


def part_sizes(model):
    """Parameters of a model by part."""
    return {
        name: sum(layer.count_params() for layer in layers)
        for name, layers in model.parts.items()
    }
