"""Which config a run folder takes: a new run's, or the one it began with."""

from __future__ import annotations

import json
from pathlib import Path

from mgtl_tf.config import RunConfig
from mgtl_tf.errors import UserError
from mgtl_tf.folders import unwritable
from mgtl_tf.folders import write_whole
from mgtl_tf.training import environment
from mgtl_tf.training.checkpoint import has_checkpoint

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


def settle_config(
    config: RunConfig, run_dir: Path, writes: bool = True
) -> RunConfig:
    """The config with `auto` resolved; saved, or checked against the saved.

    Before its first checkpoint a run has nothing that a config could not
    fit: a user who follows an error's remedy begins it anew.

    Args:
        config: as the flags say.
        run_dir: made where missing; gets config.json, environment.json.
        writes: whether this process writes them.

    Raises:
        UserError: where the folder holds a run of another config, naming
            the fields that differ, or cannot be written.
    """
    if has_checkpoint(run_dir):
        return _resumed(config, run_dir)
    policy = environment.resolve_dtype_policy(config.train.dtype_policy)
    config = config.replace(dtype_policy=policy)
    if not writes:
        return config
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(f"--run_dir={run_dir}", error) from error
    details = json.dumps(environment.describe(), indent=2) + "\n"
    write_whole(run_dir / "environment.json", details)
    write_whole(run_dir / "config.json", config.to_json())
    return config


def _resumed(config: RunConfig, run_dir: Path) -> RunConfig:
    saved = RunConfig.load(run_dir)
    if config.train.dtype_policy == "auto":
        config = config.replace(dtype_policy=saved.train.dtype_policy)
    given = {**vars(config.data), **vars(config.train)}
    free = {name: given[name] for name in _FREE_TO_CHANGE}
    if different := saved.replace(**free).differences(config):
        raise UserError(
            f"--run_dir={run_dir}: holds a run of another config"
            f" ({'; '.join(different)}); give the same flags to resume"
            " it, or another --run_dir"
        )
    return config
