"""Ray's actors make the very files that this process makes.

Each call of `by_ray` starts actors, which takes seconds: there are few.
"""

import os
from functools import partial

import cv2
import numpy as np
import pytest

from mgtl_tf.datasets.decoded_cache.blocks import write_block
from mgtl_tf.datasets.decoded_cache.building import build_caches
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.records import Pair
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.evaluation.ranks import read_ranks
from mgtl_tf.galleries.encoding import BatchEncoder
from mgtl_tf.galleries.manifest import FILES
from mgtl_tf.galleries.sources import FileSource
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.ray_jobs import by_ray, connect_ray
from mgtl_tf.workflows.evaluate import evaluate_run
from tests.galleries.encoders import (
    FakeEncoder,
    Troubled,
    build,
    wide_places,
)
from tests.tiny_runs import TINY, write_noisy_cvusa, write_run

ray = pytest.importorskip("ray")


def test_an_address_where_nothing_answers():
    with pytest.raises(UserError, match="ray_address=127.0.0.1:9: no Ray"):
        connect_ray("127.0.0.1:9")


def test_a_machine_on_which_ray_does_not_start(monkeypatch):
    def slow(**_):
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", slow)
    with pytest.raises(UserError, match="^runner=ray: .* timed out .*local$"):
        connect_ray()


@pytest.fixture(scope="module")
def cluster():
    """Of two cores, whatever the machine has; shared by all tests."""
    quiet = {"include_dashboard": False, "log_to_driver": False}
    with pytest.MonkeyPatch.context() as patch:
        # As programs set it: actors load Keras where they need it.
        patch.setenv("MGTL_TF_LAZY", "1")
        try:
            ray.init("local", num_cpus=2, **quiet)
        except Exception:  # It waits half a minute, whatever else runs.
            ray.shutdown()
            ray.init("local", num_cpus=2, **quiet)
    connect_ray()  # What is there already is used.
    yield
    ray.shutdown()


@pytest.fixture
def places(tmp_path):
    """One of them damaged."""
    found = wide_places(tmp_path, 23)
    found[7].image.write_bytes(b"no image")
    return found


def encode_by_ray(places, encoder, folder, batches):
    source = partial(FileSource, places)
    return by_ray(BatchEncoder(encoder, source, folder), batches)


def test_same_bytes_though_an_actor_is_killed_and_another_fails(
    cluster, tmp_path, places
):
    local = build(places, tmp_path / "local")
    encoder = partial(Troubled, tmp_path / "died")
    encode = partial(encode_by_ray, places, encoder)
    with pytest.raises(UserError, match="not finite"):
        build(places, tmp_path / "ray", encode=encode)
    assert (tmp_path / "died").exists()
    # What was done stays: the same command goes on, by any runner.
    rest = FakeEncoder()
    ours = build(places, tmp_path / "ray", rest)
    assert rest.batches == [3]
    assert ours == local and ours.count == 22
    assert ours.skipped[0].image == places[7].image
    for name in FILES:
        first, second = tmp_path / "local" / name, tmp_path / "ray" / name
        assert first.read_bytes() == second.read_bytes(), name


def test_an_evaluation_has_the_same_ranks(cluster, tmp_path, monkeypatch):
    described, plain = [], evaluation.rank_embedded

    def look(ground, satellite, *rest, **options):
        described.append((ground, satellite))
        return plain(ground, satellite, *rest, **options)

    monkeypatch.setattr(evaluation, "rank_embedded", look)
    write_noisy_cvusa(tmp_path, 10)
    config = TINY.replace(data_dir=str(tmp_path), evaluation_batch_size=2)
    run = tmp_path / "run"
    write_run(run, config)
    asked = {"protocol": "fov_180", "protocol_seed": 3}
    tables, files = [], []
    for runner in ("local", "ray"):
        tables.append(evaluate_run(run, runner=runner, **asked))
        name = "evaluation-cvusa-validation-fov_180-3"
        ranks = read_ranks(run / f"{name}-ranks.npz", "")
        files.append((run / f"{name}.json").read_text())
        described[-1] += (ranks.forth.place, ranks.back.place)
    assert tables[0] == tables[1] and files[0] == files[1]
    for ours, local in zip(*described, strict=True):
        np.testing.assert_array_equal(ours, local)


def _write_and_note(processes, job):
    (processes / str(os.getpid())).touch()
    return write_block(job)


def test_a_cache_has_the_same_bytes_by_as_many_as_asked_for(cluster, tmp_path):
    """Each actor is a process; here there is one."""
    processes = tmp_path / "processes"
    processes.mkdir()
    images = tmp_path / "images"
    images.mkdir()
    pairs = []
    for n in range(70):
        noise = np.random.default_rng(n).integers(0, 256, (24, 50, 3), "uint8")
        paths = [images / f"{view}{n}.png" for view in "ga"]
        for path, image in zip(paths, (noise, noise[:, :24]), strict=True):
            cv2.imwrite(str(path), image)
        pairs.append(Pair(str(n), *paths))
    pairs[40].ground.write_bytes(b"no image")
    settings = CacheSettings("", (8, 20), (0.0, 1.0))
    write = partial(_write_and_note, processes)
    by_one = partial(by_ray, write, most=1)
    for name, make in (("local", None), ("ray", by_one)):
        caches = {tmp_path / name: pairs}
        build_caches(caches, settings, 1, False, make=make)
    for file in (tmp_path / "local").iterdir():
        ours = tmp_path / "ray" / file.name
        assert file.read_bytes() == ours.read_bytes(), file
    assert len(list(processes.iterdir())) == 1


def test_prepare_passes_its_processes_on(load_program, monkeypatch, tmp_path):
    program, asked = load_program("prepare"), []
    monkeypatch.setattr(program, "connect_ray", lambda address: None)
    monkeypatch.setattr(program, "run_config", lambda _: TINY)

    def make(function, jobs, most):
        asked.append(most)
        return map(function, jobs)

    monkeypatch.setattr(program, "by_ray", make)
    write_noisy_cvusa(tmp_path / "data", 2)
    program.main(
        dataset="cvusa",
        runner="ray",
        ray_address="",
        data_dir=tmp_path / "data",
        output_dir=tmp_path / "out",
        processes=3,
        verify=False,
    )
    assert asked == [3]


def test_no_job_is_no_result():
    assert list(by_ray(str, [])) == []
