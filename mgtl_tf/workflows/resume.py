"""What a run folder accepts and what a run starts from.

The config of a new run, or the one that it was begun with; then its own
checkpoint, another run's weights, pretrained weights or random ones.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from absl import logging

from mgtl_tf.config import RunConfig, StartRecord
from mgtl_tf.training import environment
from mgtl_tf.training.checkpoint import (
    Checkpoints,
    has_checkpoint,
)
from mgtl_tf.training.progress import Progress
from mgtl_tf.utils.atomic_io import atomic_write, naming_write_errors
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.locks import LOCK, hold_lock
from mgtl_tf.workflows.start import Start

# Data may have moved, and a resumed run may log and save at another pace and
# be spread over other devices; every other field decides the weights.
_FREE_TO_CHANGE = (
    "data_dir",
    "cache",
    "data_cache",
    "log_every",
    "checkpoint_minutes",
    "checkpoint_steps",
    "keep_checkpoints",
    "evaluate_every",
    "evaluation_batch_size",
    "strategy",
    "micro_batch",
    "retrieval_pictures",
    "profile_steps",
)


@contextmanager
def locked_run(run_dir: Path, writes: bool = True) -> Iterator[None]:
    """Keeps a second training out of a run folder; reading stays possible.

    Args:
        run_dir: made where missing.
        writes: whether this process writes there: of several workers that
            train one run, only the chief does.

    Raises:
        UserError: where another process trains there, naming it, or the
            folder cannot be written.
    """
    with ExitStack() as stack:
        if writes:
            with naming_write_errors(run_dir):
                run_dir.mkdir(parents=True, exist_ok=True)
                stack.enter_context(
                    hold_lock(run_dir / LOCK, run_dir, "training this run")
                )
        yield


def resolve_run_config(
    config: RunConfig, run_dir: Path, writes: bool = True
) -> RunConfig:
    """The config with `auto` resolved; saved, or checked against the saved.

    Before its first checkpoint a run accepts any config: a user who follows
    an error's remedy begins it again.

    Args:
        config: as the flags say.
        run_dir: exists; gets config.json, environment.json.
        writes: whether this process writes them.

    Raises:
        UserError: where the folder holds a run of another config, naming
            the fields that differ, or cannot be written.
    """
    if not has_checkpoint(run_dir):
        policy = environment.resolve_dtype_policy(config.train.dtype_policy)
        config = config.replace(dtype_policy=policy)
        if writes:
            details = json.dumps(environment.describe(), indent=2) + "\n"
            atomic_write(run_dir / "environment.json", details)
            atomic_write(run_dir / "config.json", config.to_json())
        return config
    saved = RunConfig.load(run_dir)
    if config.train.dtype_policy == "auto":
        config = config.replace(dtype_policy=saved.train.dtype_policy)
    given = {**vars(config.data), **vars(config.train)}
    free = {name: given[name] for name in _FREE_TO_CHANGE}
    # A cache may have moved. Without one, features are not rounded.
    if saved.data.feature_cache and config.data.feature_cache:
        free["feature_cache"] = config.data.feature_cache
    if different := saved.replace(**free).differences(config):
        raise UserError(
            f"{run_dir}: holds a run of another config"
            f" ({'; '.join(different)}); give the same flags to resume"
            " it, or another run_dir"
        )
    return config


def restore(
    checkpoints: Checkpoints,
    pairs: str,
    network: str,
    start: Start,
) -> Progress:
    """Sets the model and the optimizer, from the first of these there is.

    1. The newest readable checkpoint of the run's own folder: everything.
    2. `init_from`: the best weights of another run (its last ones where it
       was never evaluated); the optimizer and the steps begin at zero.
    3. `init_backbone`: both VGG-16 of a run of any system, the rest random.
    4. `backbone_weights`: both VGG-16, the rest random.
    5. Random weights of the config's seed.

    With 1 and 2 each variable of the file is one of the model, of the same
    name and shape, and none of the model is left out.

    Args:
        checkpoints: of the run; hold model and optimizer.
        pairs: digest of the training pairs, of `ids_digest`.
        network: `RunConfig.network`.
        start: which of 2 to 5.

    Raises:
        UserError: where what was found is damaged or does not fit, naming
            it and the remedy; nothing further down is used instead.
    """
    progress = checkpoints.restore_last()
    if progress is None:
        start.require_fixed_blocks_given()
        start.set_weights(checkpoints.model)
        return Progress(data=pairs, network=network)
    if progress.data not in ("", pairs):
        raise UserError(
            f"{checkpoints.folder.parent}: the training pairs are not those"
            " that the run was begun with; give that data_dir, or another"
            " run_dir"
        )
    logging.info("resuming from step %d", progress.step)
    return progress


def record_start(run_dir: Path, backbone_digest: str) -> None:
    """Adds to a new run's config.json which VGG-16 it starts from."""
    config = RunConfig.load(run_dir)
    start = StartRecord(backbone_digest)
    config = dataclasses.replace(config, start=start)
    atomic_write(run_dir / "config.json", config.to_json())
