"""The rows of each table, as changes of a config."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mgtl_tf.config.model import config_class
from mgtl_tf.datasets.sources import VIEWS


@dataclass(frozen=True)
class Row:
    """One system or ablation; a row of two tables is trained once.

    Attributes:
        key: names its runs' folders.
        changes: config fields, laid over the study's own settings.
    """

    key: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needs_labels(self) -> tuple[str, ...]:
        """The views of whose images it, or a stage before, reads label maps."""
        if "regmi_stage" in self.changes:
            return ("satellite",)
        system = config_class(self.changes.get("system", "mgtl"))
        return ("ground",) if system.ground_form == "labels" else ()


VGG = Row("vgg", {"recurrent_steps": 0})
WITHOUT_CMI = Row("without_cmi", {"knowledge": "none", "recurrent_steps": 6})
WITH_CMI = Row("with_cmi", {"recurrent_steps": 6})
STEPS_1 = Row("steps1", {"recurrent_steps": 1})
STEPS_3 = Row("steps3", {"recurrent_steps": 3})
STEPS_9 = Row("steps9", {"recurrent_steps": 9})
NAIVE = Row("naive", {"knowledge": "conv", "recurrent_steps": 6})
SAFA = Row("safa", {"system": "safa"})
L2LTR = Row("l2ltr", {"system": "l2ltr"})
WORKMAN = Row("workman", {"system": "workman_vgg16"})
VO = Row("vo", {"system": "vo"})
ZHAI = Row("zhai", {"system": "zhai"})
CVM_NET = Row("cvm_net", {"system": "cvm_net"})
ORICNN = Row("oricnn", {"system": "oricnn"})
REGMI = Row("regmi", {"system": "regmi"})
REGMI_SYNTHESIS = Row(
    "regmi_synthesis", {"system": "regmi", "regmi_stage": "synthesis"}
)
REGMI_JOINT = Row(
    "regmi_joint",
    {
        "system": "regmi",
        "regmi_stage": "joint",
        "init_backbone": "regmi_synthesis",
    },
)
REGMI_FULL = Row(
    "regmi_full",
    {
        "system": "regmi",
        "regmi_stage": "fusion",
        "init_backbone": "regmi_joint",
    },
)
TOKER = Row("toker", {"system": "toker"})
TOKER_FULL = Row("toker_full", {"system": "toker", "generator": True})
CVFT = Row("cvft", {"system": "cvft"})
DSM = Row("dsm", {"system": "dsm"})
TRANSGEO_WHOLE = Row(
    "transgeo_whole", {"system": "transgeo", "transgeo_stage": "whole"}
)
TRANSGEO = Row(
    "transgeo",
    {
        "system": "transgeo",
        "transgeo_stage": "cropped",
        "init_backbone": "transgeo_whole",
    },
)
FRGEO = Row("frgeo", {"system": "frgeo"})
SAMPLE4GEO = Row("sample4geo", {"system": "sample4geo"})
BEST_QUARTERS = Row(
    "best_quarters", {"system": "sample4geo", "descriptor_regions": "quarters"}
)
BEST_COLUMNS = Row(
    "best_columns", {"system": "mgtl_convnext", "recurrent_steps": 0}
)
BEST_SELF_ATTENTION = Row(
    "best_self_attention", {"system": "mgtl_convnext", "knowledge": "none"}
)
BEST_MGTL = Row("best_mgtl", {"system": "mgtl_convnext"})

TODAY = 5
"""Number of the table of today's systems, which stands beside Table 1."""

ROWS: Mapping[int, tuple[tuple[str, Row], ...]] = {
    1: (
        ("Workman-style regression, VGG-16", WORKMAN),
        ("Vo-style DBL with angle head", VO),
        ("Zhai-style layout matching", ZHAI),
        ("CVM-Net-I", CVM_NET),
        ("OriCNN", ORICNN),
        ("Regmi two-stream baseline", REGMI),
        ("Regmi synthesis alone, by mean colours", REGMI_SYNTHESIS),
        ("Regmi joint features", REGMI_JOINT),
        ("Regmi and Shah", REGMI_FULL),
        ("SAFA-8", SAFA),
        ("CVFT", CVFT),
        ("DSM (aligned)", DSM),
        ("Toker retrieval-only", TOKER),
        ("Toker", TOKER_FULL),
        ("L2LTR", L2LTR),
        ("MGTL", WITH_CMI),
    ),
    2: (("VGG16 only", VGG), ("w/o CMI", WITHOUT_CMI), ("w/ CMI", WITH_CMI)),
    3: (("L2LTR", L2LTR), ("MGTL", WITH_CMI)),
    4: (
        ("CMI, L = 1", STEPS_1),
        ("CMI, L = 3", STEPS_3),
        ("CMI, L = 6", WITH_CMI),
        ("CMI, L = 9", STEPS_9),
        ("Naive, L = 6", NAIVE),
    ),
    # The last four are the variants of --preset=best, each at the settings of
    # Sample4Geo's row; the two before the last tell polar images and depth
    # from knowledge.
    TODAY: (
        ("TransGeo, stage 1", TRANSGEO_WHOLE),
        ("TransGeo", TRANSGEO),
        ("FRGeo", FRGEO),
        ("Sample4Geo", SAMPLE4GEO),
        ("Sample4Geo, FRGeo's quarters", BEST_QUARTERS),
        ("Sample4Geo, columns of polar images", BEST_COLUMNS),
        ("Sample4Geo, transformer w/o CMI", BEST_SELF_ATTENTION),
        ("Sample4Geo, MGTL's transformer", BEST_MGTL),
    ),
}
"""Table to (title, row), in the paper's order. A new row is one line here."""

CHANGE_OF: Mapping[str, str] = {
    "transgeo": "transgeo_whole",
    "best_quarters": "sample4geo",
    "best_columns": "sample4geo",
    "best_self_attention": "best_columns",
    "best_mgtl": "best_self_attention",
}
"""Of table TODAY, a row to the row that it changes in one thing; both keys."""

STARTED_FROM: Mapping[str, str] = {
    row.key: row.changes["init_backbone"]
    for table in ROWS.values()
    for _, row in table
    if "init_backbone" in row.changes
}
"""A row that is a later stage to the row of the stage before; both keys."""

TABLES = tuple(number for number in ROWS if number != TODAY)
"""The paper's."""

# Rows that are trained differently from the paper's row of that name.
_TITLES = {
    ("workman", "procedural"): "Workman-style regression, VGG-16, small",
    ("vo", "procedural"): "Vo-style DBL with angle head, small",
    ("zhai", "procedural"): "Zhai-style layout matching, small",
    ("cvm_net", "procedural"): "CVM-Net-I, small",
    ("oricnn", "procedural"): "OriCNN, small",
    ("regmi", "procedural"): "Regmi two-stream baseline, small",
    (
        "regmi_synthesis",
        "procedural",
    ): "Regmi synthesis alone, by mean colours, small",
    ("regmi_joint", "procedural"): "Regmi joint features, small",
    ("regmi_full", "procedural"): "Regmi and Shah, small",
    ("toker", "procedural"): "Toker retrieval-only, small",
    ("toker_full", "procedural"): "Toker, small",
    ("toker_full", "real"): "Toker, from scratch",
    ("toker", "real"): "Toker retrieval-only, from scratch",
    ("cvft", "procedural"): "CVFT, small",
    ("dsm", "procedural"): "DSM (aligned), small",
    ("l2ltr", "procedural"): "L2LTR-style (K from previous layer), small",
    ("safa", "procedural"): "SAFA-8, small",
    ("transgeo_whole", "procedural"): "TransGeo, stage 1, small",
    ("transgeo_whole", "real"): "TransGeo, stage 1, from scratch",
    ("transgeo", "procedural"): "TransGeo, small",
    ("transgeo", "real"): "TransGeo, from scratch",
    ("frgeo", "procedural"): "FRGeo, small",
    ("sample4geo", "procedural"): "Sample4Geo, small",
    ("best_quarters", "procedural"): "Sample4Geo, FRGeo's quarters, small",
    (
        "best_columns",
        "procedural",
    ): "Sample4Geo, columns of polar images, small",
    (
        "best_self_attention",
        "procedural",
    ): "Sample4Geo, transformer w/o CMI, small",
    ("best_mgtl", "procedural"): "Sample4Geo, MGTL's transformer, small",
    ("l2ltr", "real"): "L2LTR, from scratch",
}


def titled_rows(
    table: int, dataset: str, labelled: Collection[str] = VIEWS
) -> list[tuple[str, Row]]:
    """(title, row) of a table, each titled as it is trained on a data set.

    On the synthetic world networks or images are small; L2LTR and TransGeo
    are trained without their authors' pretrained weights. Table 3 is of the
    published networks.

    Args:
        table: its number.
        dataset: procedural, cvusa, cvact or vigor.
        labelled: the views whose images have label maps.
    """
    kind = dataset if dataset == "procedural" else "real"
    return [
        (title if table == 3 else _TITLES.get((row.key, kind), title), row)
        for title, row in ROWS[table]
        if set(row.needs_labels) <= set(labelled)
    ]


def rows_of(
    tables: Iterable[int], labelled: Collection[str] = VIEWS
) -> tuple[Row, ...]:
    """The rows that these tables train, each once; Table 3 trains none.

    Args:
        tables: their numbers.
        labelled: as of `titled_rows`.
    """
    trained = (table for table in tables if table != 3)
    found = {row.key: row for table in trained for _, row in ROWS[table]}
    return tuple(
        row for row in found.values() if set(row.needs_labels) <= set(labelled)
    )
