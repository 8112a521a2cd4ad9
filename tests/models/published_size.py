"""Systems at their published sizes, whose weights nobody needs."""

import keras

import mgtl_tf


def published(system, **fields):
    """A system's model, its weights' shapes alone: no memory, no numbers."""
    config = mgtl_tf.ModelConfig(system=system, **fields)
    with keras.StatelessScope(initialize_variables=False):
        return mgtl_tf.build_model(config)


def part_sizes(model):
    """Parameters of a model by part."""
    return {
        name: sum(layer.count_params() for layer in layers)
        for name, layers in model.parts.items()
    }
