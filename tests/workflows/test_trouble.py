"""Full disk, read-only folders, vanished data: one line, nothing lost."""

import cv2
import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.training.checkpoint import Checkpoints, Progress
from mgtl_tf.training.logs import MetricsLog, read_metrics
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.train import train
from tests.small_disk import fill
from tests.tiny_runs import TINY

SMALL = TINY.replace(
    batch_size=2,
    epochs=4,
    cache="none",
    checkpoint_steps=1,
    log_every=1,
    evaluate_every=0,
)


def checkpoints(run_dir):
    keras.utils.set_random_seed(0)
    model = mgtl_tf.build_model(SMALL.model)
    optimizer = make_optimizer(SMALL.train, model.trainable_variables)
    return Checkpoints(run_dir, model, optimizer)


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("leave", [0, 8_192, 65_536])
def test_a_full_disk_keeps_the_checkpoint_before(disk, leave):
    folder, _ = disk
    saved = checkpoints(folder / "run")
    saved.save_last(Progress(1))
    filler = fill(folder, leave)
    with pytest.raises(UserError, match="No space left on device") as error:
        saved.save_last(Progress(2))
    assert "last/ckpt-2" in one_line(error)
    names = {p.stem for p in (saved.folder / "last").glob("ckpt-*")}
    assert names == {"ckpt-1"}
    assert saved.restore_last().step == 1
    filler.unlink()
    saved.save_last(Progress(2))
    assert saved.restore_last().step == 2


def test_logs_on_a_full_disk_name_themselves(disk):
    folder, _ = disk
    log = MetricsLog(folder)
    log.write("train", 1, {"loss": 1.0})
    # Room in the line's own block, none for what TensorBoard gathers.
    filler = fill(folder)
    with pytest.raises(UserError, match="No space left on device") as error:
        for step in range(2, 1000):
            log.write("train", step, {"loss": 1.0})
    assert str(folder) in one_line(error)
    # Nor can the next run begin, and it loses no line that was whole.
    whole = len(read_metrics(folder))
    with pytest.raises(UserError, match=r"metrics\.jsonl: cannot be written"):
        MetricsLog(folder, step=1000)
    assert len(read_metrics(folder)) == whole
    filler.unlink()
    MetricsLog(folder, step=1000).close()


def test_tensorboard_on_a_full_disk_is_no_want_of_memory(disk):
    folder, _ = disk
    log = MetricsLog(folder)
    (folder / "metrics.jsonl").symlink_to("/dev/null")
    fill(folder)
    with pytest.raises(UserError, match="tensorboard: cannot be") as error:
        for step in range(1000):
            log.write("train", step, {"loss": 1.0})
    assert "No space left on device" in one_line(error)


def test_a_folder_turned_read_only(disk):
    folder, mount = disk
    saved = checkpoints(folder / "run")
    saved.save_last(Progress(1))
    (folder / "run/metrics.jsonl").write_text("")
    assert mount("remount,ro")
    with pytest.raises(UserError, match="Read-only file system") as error:
        saved.save_last(Progress(2))
    assert "last/ckpt-2" in one_line(error)
    with pytest.raises(UserError, match=r"metrics\.jsonl.*Read-only"):
        MetricsLog(folder / "run")
    config = SMALL.replace(data_dir=str(world(folder.parent / "world")))
    with pytest.raises(UserError, match="Read-only file system") as error:
        train(config, folder / "new")
    assert f"--run_dir={folder / 'new'}" in one_line(error)
    assert saved.restore_last().step == 1


def test_a_file_where_the_run_folder_should_be(tmp_path):
    (tmp_path / "file").touch()
    config = SMALL.replace(data_dir=str(world(tmp_path / "world")))
    for run_dir in (tmp_path / "file", tmp_path / "file/run"):
        with pytest.raises(UserError, match="cannot be written") as error:
            train(config, run_dir)
        assert f"--run_dir={run_dir}" in one_line(error)


def world(root):
    """A folder in CVUSA's layout: four training pairs, no validation."""
    noise = np.random.default_rng(0)
    rows = []
    for i in range(1, 5):
        aerial, ground = f"bingmap/19/{i}.png", f"streetview/{i}.png"
        for name, size in ((aerial, (16, 16)), (ground, (8, 16))):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = noise.integers(0, 256, (*size, 3), np.uint8)
            cv2.imwrite(str(path), pixels)
        rows.append(f"{aerial},{ground}")
    (root / "splits").mkdir()
    (root / "splits/train-19zl.csv").write_text("\n".join(rows))
    (root / "splits/val-19zl.csv").write_text("")
    return root


def test_one_trouble_after_the_other(disk, tmp_path, monkeypatch):
    """Data gone, disk full, each mended: the run still ends as it should."""
    folder, _ = disk
    run_dir = folder / "run"
    data = world(tmp_path / "world")
    config = SMALL.replace(data_dir=str(data))
    save, at_step = Checkpoints.save_last, {}

    def then(self, progress):
        save(self, progress)
        at_step.pop(progress.step, lambda: None)()

    monkeypatch.setattr(Checkpoints, "save_last", then)
    away = tmp_path / "away"
    at_step[1] = lambda: (data / "bingmap").rename(away)
    with pytest.raises(UserError, match=r"\.png: No such file") as error:
        train(config, run_dir)
    assert "bingmap/19/" in one_line(error)
    # So does the same command, before the data are back.
    with pytest.raises(UserError, match="does not exist"):
        train(config, run_dir)
    away.rename(data / "bingmap")

    at_step[6] = lambda: fill(folder)
    with pytest.raises(UserError, match="No space left on device") as error:
        train(config, run_dir)
    assert "--batch_size" not in one_line(error)
    (folder / "filler").unlink()

    assert train(config, run_dir)
    steps = [r["step"] for r in read_metrics(run_dir)]
    assert steps == list(range(1, 9))
