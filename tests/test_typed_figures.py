"""Measured figures stand on pages as generated blocks: none is typed."""

import re
from pathlib import Path

import pytest

from mgtl_tf.reproduction.blocks import pages_of

ROOT = Path(__file__).parents[1]
PAGES = [*pages_of(ROOT / "docs"), ROOT / "WORKSPACE.md"]

_NUMBER = r"(?<![\w@.,-])\d[\d.,]*"
_UNITS = r"(?:ms|s|seconds?|minutes?|hours?|[kMGT]i?B|points?|times)\b"
MEASURED = re.compile(
    rf"{_NUMBER} ?%"
    rf"|{_NUMBER} ?{_UNITS}"
    rf"|{_NUMBER} ?(?:pairs|images|frames|places)(?: a second|/s)"
    rf"|{_NUMBER} of {_NUMBER}"
    r"|(?<![\w.])0\.\d\d+(?![.\d])"
    r"|\d\.\d+e-?\d+"
)

# What the pattern takes for a measurement of ours and is none: settings,
# limits, definitions, sizes by arithmetic. The longer the words, the safer.
ALLOWED = {
    "data.md": ["more than 5 % from the aspect ratio"],
    "engines.md": [
        "while the file (7.7 GB) fits",
        "3.8 GB, 1.9 GB | little memory",
        "| 1.0 GB |",
        "| 0.3 GB |",
        "as keep 0.995 of recall@10",
        "at least 9 of 10 in the tests",
    ],
    "evaluation.md": ["zero and not 100 %", "the 95 % binomial interval"],
    "galleries.md": [
        "(0.05)",
        "transparency only if 95 % of its values",
        "files up to 256 MiB completely",
    ],
    "localization.md": [
        "at least 90 % or at most 10 %: in between",
        "From 0.05 on, or without such drives",
    ],
    "reproduction.md": [
        "lambda = 0.05",
        "a collapsed network then scores 100%",
        "top 1% | K = floor(0.01 N)",
    ],
    "serving.md": [
        "ended after 2 s",
        "arrives at 32 kB/s",
        "limited to 4 MB unless raised",
    ],
    "synthetic_to_real.md": [
        "InfoNCE at 0.07",
        "under 16 MB",
        "95 % by Clopper and Pearson",
    ],
}


def blank(found):
    """Spaces in its place, so that lines and columns stay."""
    return re.sub(r"[^\n]", " ", found.group())


def typed_figures(text, allowed=()):
    """(line, figure) of each outside generated blocks and code."""
    for pattern in (
        r"<!-- generated: .*?<!-- end -->",
        r"^```.*?^```",
        r"`[^`\n]*`",
    ):
        text = re.sub(pattern, blank, text, flags=re.S | re.M)
    for words in allowed:
        text = re.sub(re.escape(words), blank, text)
    return [
        (number, found.group())
        for number, line in enumerate(text.splitlines(), 1)
        for found in MEASURED.finditer(line)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_measured_figure_is_typed(page):
    wrong = [
        f"{page.name}:{line}: {figure!r} is typed by hand: record it (python"
        " -m benchmarks.record) and show it by a generated block, or say it"
        " without the number; if it is no measurement, name it in ALLOWED"
        for line, figure in typed_figures(
            page.read_text(), ALLOWED.get(page.name, ())
        )
    ]
    assert not wrong, "\n".join(wrong)


def test_what_is_allowed_is_there():
    pages = {page.name: page.read_text() for page in PAGES}
    for name, allowed in ALLOWED.items():
        for words in allowed:
            assert words in pages[name], f"{name}: {words}: no longer needed"


def test_typed_figures_are_seen():
    text = """It finds 81.5 % first, in 3 ms,
<!-- generated: demo recall -->

| 87.2 % |

<!-- end --> and at 0.70 of the peak, `0.71 %` of 20 tokens, 2 GiB.
```
1.5 s
```
Killed 25 of 25; r@1% is 3.8e-6; 1,215 pairs/s, 9.85 pairs a second; L = 6.
"""
    assert typed_figures(text, ["2 GiB"]) == [
        (1, "81.5 %"),
        (1, "3 ms"),
        (6, "0.70"),
        (10, "25 of 25"),
        (10, "3.8e-6"),
        (10, "1,215 pairs/s"),
        (10, "9.85 pairs a second"),
    ]
