"""Every system through the real train step, which is traced once for both:
a resumed run is an uninterrupted one, and a few pairs can be learnt by heart.
"""

from pathlib import Path

import numpy as np
import pytest

from mgtl_tf.config import TrainConfig
from mgtl_tf.datasets.label_maps import with_labels
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.sources import FileSource
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.training.checkpoint import Checkpoints
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.progress import Progress
from mgtl_tf.training.step import TrainStep
from mgtl_tf.workflows.world import make_world
from tests.models.systems import TABLE, noisy_pairs, small_model

pytestmark = pytest.mark.usefixtures("plain_graphs")

REAL = Path(__file__).parents[3] / "shared/data/real_pairs/CVUSA"
PAIRS = 5
# Wide enough, and with biases that do not make all descriptors alike, that
# five places are told apart from any start.
WIDER = {
    "cvm_net": {"clusters": 16, "descriptor_size": 32, "projection_bias": 0.0}
}


# Forms of a system that are trained apart: a later stage, a variant of best.
FORMS = {
    "transgeo cropped": {
        "transgeo_stage": "cropped",
        "satellite_size": (32, 32),
        "guide_size": (24, 24),
    },
    "sample4geo quarters": {"descriptor_regions": "quarters"},
}


@pytest.fixture(scope="module", params=[*TABLE, *FORMS])
def step(request):
    """Of a system with dropout, whose random state counts too."""
    system = request.param.split()[0]
    fields = {"backbone_dropout": 0.05, **WIDER.get(system, {})}
    # These would learn nothing, or from some starts only, without.
    if system not in ("safa", "vo", "cvm_net"):
        # Traced in a third of the time.
        fields["backbone_normalization"] = "none"
    model = small_model(system, **{**fields, **FORMS.get(request.param, {})})
    own = {"loss": "info_nce"} if model.loss_weights else {}
    config = TrainConfig(batch_size=PAIRS, **own)
    optimizer = make_optimizer(config, model.trainable_variables)
    return TrainStep(model, optimizer, config)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Five pairs of a synthetic world with label maps."""
    folder = tmp_path_factory.mktemp("world") / "world"
    settings = WorldSettings(
        train_pairs=PAIRS,
        val_pairs=1,
        aerial_size=112,
        ground_height=16,
        ground_width=40,
        labels=True,
    )
    make_world(settings, folder, 1, progress=False)
    return with_labels(read_dataset("procedural", folder).train)


def _train(step, pairs, count):
    """So many steps on these pairs; their losses."""
    batch = {**pairs, "negatives": ~np.eye(PAIRS, dtype=bool)}
    return [float(step(batch, 2e-3)["loss"]) for _ in range(count)]


def _variables(step):
    return *step.model.variables, *step.optimizer.variables


def _values(step):
    return [variable.numpy() for variable in _variables(step)]


def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(step, tmp_path):
    pairs = noisy_pairs(step.model, PAIRS)
    before = [w.numpy() for w in step.model.trainable_weights]
    _train(step, pairs, 2)
    checkpoints = Checkpoints(tmp_path, step.model, step.optimizer)
    checkpoints.save_last(Progress(step=2))
    losses, expected = _train(step, pairs, 2), _values(step)
    for old, new in zip(before, step.model.trainable_weights, strict=True):
        if "key/bias" not in new.path:  # no softmax depends on it
            assert not np.array_equal(old, new.numpy()), new.path
    for variable in _variables(step):
        variable.assign(0 * variable)
    assert checkpoints.restore_last().step == 2
    assert _train(step, pairs, 2) == losses
    for variable, value in zip(_variables(step), expected, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, variable.path)


def test_five_places_are_learnt_by_heart(step, request):
    """Real ones of CVUSA; of a synthetic world where panoramas are labels."""
    form = step.model.config.input_form
    pairs, batch = (), noisy_pairs(step.model, PAIRS)
    if form.ground_form == "labels":
        pairs = request.getfixturevalue("labelled")
    elif REAL.is_dir():
        pairs = read_dataset("cvusa", REAL).train
    if pairs:
        images = FileSource(pairs, form).load(np.arange(PAIRS))
        batch = dict(zip(batch, map(np.float32, images), strict=True))
    for _ in range(20):
        _train(step, batch, 20)
        ranks = _ranks(step.model, batch)
        if (ranks == 1).all():
            return
    pytest.fail(f"ranks {ranks}")


def _ranks(model, batch):
    """Of the true matches in both directions; ties count against them."""
    ground = model.encode_ground(batch["ground"])
    satellite = model.encode_satellite(batch["satellite"])
    scores = np.asarray(model.scorer.of_batch(ground, satellite))
    true = np.diag(scores)
    return np.stack([(scores >= true).sum(0), (scores.T >= true).sum(0)])
