"""Flags of experiments.tables that say which study, and with what settings."""

from __future__ import annotations

from absl import flags

from experiments.flags import define_also, define_parsed, define_vigor
from mgtl_tf.config.train import DTYPE_POLICIES
from mgtl_tf.reproduction.benchmarks import BENCHMARKS
from mgtl_tf.reproduction.rows import TABLES, TODAY


def _numbers(text: str) -> tuple[int, ...]:
    """Each number once, in order."""
    given = text.split(",") if text else []
    if not all(number.strip().isdecimal() for number in given):
        raise ValueError(text)
    return tuple(sorted({int(number) for number in given}))


def table_numbers(text: str) -> tuple[int, ...]:
    """Each table once; today's last."""
    names = [name.strip() for name in text.split(",")] if text else []
    rest = _numbers(",".join(name for name in names if name != TODAY_NAME))
    if not set(rest) <= set(TABLES):
        raise ValueError(text)
    return (*rest, TODAY) if TODAY_NAME in names else rest


TODAY_NAME = "today"


def define_study_flags() -> list[flags.FlagHolder]:
    """Those on which a study's figures depend."""
    return [*_subject(), *_extent()]


def _subject() -> list[flags.FlagHolder]:
    """Tables, data, the start and the precision of all runs."""
    return [
        define_parsed(
            "table",
            (),
            "which of the paper's tables, 1 to 4, or today (TransGeo, FRGeo,"
            " Sample4Geo and the variants of --preset=best); none:"
            " --publish alone makes the pages anew of the files in --docs_dir",
            table_numbers,
            "whole numbers of the paper's tables 1 to 4, or today, with commas",
        ),
        flags.DEFINE_enum(
            "dataset",
            "procedural",
            ["procedural", "cvusa", "cvact", "vigor"],
            "what is trained and measured on; procedural is a synthetic world",
        ),
        flags.DEFINE_enum(
            "benchmark",
            "v2",
            list(BENCHMARKS),
            "procedural only: v2 trains the paper's network from"
            " --backbone_weights on smaller images; v1-small small"
            " networks from random weights; v1-full is for a GPU",
        ),
        flags.DEFINE_string(
            "backbone_weights",
            "",
            "start of VGG-16 in every run: imagenet (downloaded by Keras) or a"
            " file; default: the benchmark's, or the data set's preset",
        ),
        flags.DEFINE_enum(
            "dtype_policy",
            None,
            DTYPE_POLICIES,
            "precision of every row whose system has none of its own; default:"
            " the study's, of v1 and v2 bfloat16 whatever the processor"
            " (float32 is several times as fast where it has no instructions"
            " for it); tables name the precision of their runs",
        ),
        flags.DEFINE_string("data_dir", "", "folder of CVUSA, CVACT or VIGOR"),
    ]


def _extent() -> list[flags.FlagHolder]:
    """How long, how often, and which further rows and measurements."""
    return [
        define_parsed(
            "seeds",
            (),
            "of every row; default: the study's",
            _numbers,
            "whole numbers, separated by commas",
        ),
        flags.DEFINE_integer(
            "max_steps",
            None,
            "training steps of every run; default: the study's; other budgets"
            " need another --studies_dir",
            lower_bound=1,
        ),
        flags.DEFINE_integer(
            "epochs",
            None,
            "an upper limit beside it, in passes over the training pairs",
            lower_bound=1,
        ),
        flags.DEFINE_bool(
            "controls",
            False,
            "procedural only: the control rows as well",
        ),
        flags.DEFINE_bool(
            "conditions",
            False,
            "procedural only: measure the tables' rows again, among more"
            " distractors and under the benchmark's other conditions",
        ),
        flags.DEFINE_bool(
            "warm",
            False,
            "v2 only: Table 2w as well, whose rows start from the trained"
            " VGG-16 of Table 2's first",
        ),
        flags.DEFINE_bool(
            "search",
            False,
            "v2 only: also train the rows of Tables 2 and 4 with every learning"
            " rate of the search, on a synthetic world of its own",
        ),
        define_also(),
        *define_vigor(
            "corrected, same; of --dataset=vigor also what is trained"
        ),
    ]
