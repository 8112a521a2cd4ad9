"""Variables find their arrays, and only theirs."""

import dataclasses

import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.training import variables
from mgtl_tf.utils.errors import UserError

TINY = mgtl_tf.ModelConfig(
    image_size=(8, 16),
    width_multiplier=1 / 64,
    poolings=1,
    channels=4,
    heads=2,
    recurrent_steps=1,
    backbone_normalization="batch",
)


def _named(config):
    model = mgtl_tf.build_model(config)
    names = variables.variable_names(model.variables, model.name)
    arrays = [np.zeros(v.shape) for v in model.variables]
    return model, dict(zip(names, arrays, strict=True))


def _read(folder, model, arrays):
    np.savez(folder / "f.npz", **arrays)
    return variables.read_arrays(folder / "f.npz", model.variables, model.name)


@pytest.mark.parametrize("knowledge", ["cmi", "none", "conv"])
def test_names_are_the_same_for_every_model_of_a_process(tmp_path, knowledge):
    config = dataclasses.replace(TINY, knowledge=knowledge)
    (_, first), (model, second) = _named(config), _named(config)
    assert list(first) == list(second)
    assert len(first) == len(model.variables)
    _read(tmp_path, model, first)


def test_what_differs_is_named_with_its_shape(tmp_path):
    model, _ = _named(TINY)
    _, wider = _named(dataclasses.replace(TINY, channels=6))
    with pytest.raises(UserError) as error:
        _read(tmp_path, model, wider)
    said = str(error.value)
    assert "f.npz: holds" in said
    # 8 channels of the narrowed VGG-16 to 4 tokens' channels, or to 6.
    assert "only in the model: features/compact/kernel (8, 4), " in said
    assert "only in the file: features/compact/kernel (8, 6), " in said
    # Three a side, not all.
    assert said.count("features/") + said.count("_norm_0/") <= 6


def test_a_layer_more_and_a_layer_less(tmp_path):
    model, _ = _named(TINY)
    _, deeper = _named(dataclasses.replace(TINY, recurrent_steps=2))
    with pytest.raises(UserError, match="only in the file: .*_1/") as error:
        _read(tmp_path, model, deeper)
    assert "only in the model" not in str(error.value)
    _, shallow = _named(dataclasses.replace(TINY, recurrent_steps=0))
    with pytest.raises(UserError, match="only in the model: .*_0/"):
        _read(tmp_path, model, shallow)


def test_the_same_shapes_under_another_name_do_not_fit(tmp_path):
    model, arrays = _named(TINY)
    renamed = {n.replace("ground", "aerial"): a for n, a in arrays.items()}
    with pytest.raises(UserError, match="only in the file: .*aerial"):
        _read(tmp_path, model, renamed)
