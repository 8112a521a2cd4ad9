"""Knowledge that is exchanged, against the steps of each view by hand."""

import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.analysis.knowledge import ExchangedKnowledge, whole_batches
from mgtl_tf.utils.errors import UserError
from tests.models.test_mgtl import TINY


@pytest.fixture(scope="module")
def model():
    return mgtl_tf.build_model(mgtl_tf.ModelConfig(**TINY))


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(0)
    return random.uniform(0, 255, (2, 3, 16, 40, 3)).astype("float32")


def test_shuffled_knowledge_is_that_of_another_pair(model, images):
    """Where all pairs are alike, it is what the model itself generates."""
    alike = np.repeat(images[:, :1], 3, axis=1)
    encoders = model.encode_ground, model.encode_satellite
    shuffled = ExchangedKnowledge(model, "shuffled")(*alike)
    for found, encode, view in zip(shuffled, encoders, alike, strict=True):
        np.testing.assert_allclose(found, encode(view), atol=1e-5)
    one = mgtl_tf.build_model(
        mgtl_tf.ModelConfig(**TINY | {"recurrent_steps": 1})
    )
    found = ExchangedKnowledge(one, "shuffled")(*images)[0]
    other = images.copy()
    other[0, 2] = 0  # read by row 0 alone, beside its own row
    changed = ExchangedKnowledge(one, "shuffled")(*other)[0]
    same = np.isclose(found, changed, atol=1e-6).all(axis=1)
    assert same.tolist() == [False, True, False]


@pytest.mark.parametrize("size", [2, 3, 4, 64])
@pytest.mark.parametrize("pairs", [2, 3, 4, 5, 65, 127, 8884])
def test_no_batch_of_shuffled_knowledge_has_one_pair(size, pairs):
    found = whole_batches("shuffled", size, pairs)
    assert found >= size
    lengths = {min(found, pairs - i) for i in range(0, pairs, found)}
    assert min(lengths) > 1
    assert found == size or pairs % size == 1
    assert whole_batches("true", size, pairs) == size


def test_pairs_that_have_no_other_in_their_batch_are_refused():
    for size, pairs in ((1, 8), (4, 1)):
        with pytest.raises(UserError, match="knowledge=shuffled: .*another"):
            whole_batches("shuffled", size, pairs)
        assert whole_batches("true", size, pairs) == size
        assert whole_batches("", size, pairs) == size


def test_true_knowledge_is_the_other_views(model, images):
    found = ExchangedKnowledge(model, "true")(*images)[0]
    other = images.copy()
    other[1, 1] = 0
    changed = ExchangedKnowledge(model, "true")(*other)[0]
    same = np.isclose(found, changed, atol=1e-6).all(axis=1)
    assert same.tolist() == [True, False, True]
    # By hand: attention over the satellite's normalised tokens.
    tokens = {
        view: model.encoding(model.features(x, view=view, training=False))
        for view, x in zip(("ground", "satellite"), images, strict=True)
    }
    for ground, satellite in zip(
        model.ground_steps, model.satellite_steps, strict=True
    ):
        g = ground.norm(tokens["ground"])
        s = satellite.norm(tokens["satellite"])
        tokens = {
            "ground": ground.transformer(g, s),
            "satellite": satellite.transformer(s, g),
        }
    last = np.array(model.ground_norm(tokens["ground"])).reshape(3, -1)
    last = last / np.linalg.norm(last, axis=1, keepdims=True)
    np.testing.assert_allclose(found, last, atol=1e-5)


@pytest.mark.parametrize(
    "fields", [{"knowledge": "none"}, {"recurrent_steps": 0}]
)
def test_nothing_to_exchange(fields):
    model = mgtl_tf.build_model(mgtl_tf.ModelConfig(**{**TINY, **fields}))
    with pytest.raises(UserError, match="knowledge=true: this model generates"):
        ExchangedKnowledge(model, "true")


def test_a_model_trained_with_true_knowledge_is_measured_so(images):
    """Its pairs' descriptors are those of the exchange; a gallery has none."""
    fields = TINY | {"knowledge": "true"}
    oracle = mgtl_tf.build_model(mgtl_tf.ModelConfig(**fields))
    views = dict(zip(("ground", "satellite"), images, strict=True))
    outputs = oracle(views, training=False)
    assert outputs["generated"] == outputs["targets"] == []
    ground, satellite = oracle.encode_pairs(*images)
    np.testing.assert_allclose(ground, outputs["ground"], atol=1e-6)
    other = {**views, "satellite": views["satellite"][::-1]}
    changed = oracle(other, training=False)["ground"]
    same = np.isclose(ground, changed, atol=1e-6).all(axis=1)
    assert same.tolist() == [False, True, False]
    np.testing.assert_allclose(satellite, outputs["satellite"], atol=1e-6)
    for encode in (oracle.encode_ground, oracle.encode_satellite):
        with pytest.raises(UserError, match="no gallery can be built"):
            encode(images[0])
    assert not any("cmi" in w.path for w in oracle.weights)
