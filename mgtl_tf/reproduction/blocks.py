"""Marked parts of pages that are written by a program, never by hand.

    <!-- generated: WORDS -->text<!-- end -->

A part may be a table on lines of its own, or a figure within a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.errors import UserError

_BLOCK = re.compile(r"(<!-- generated: (.+?) -->)(.*?)(<!-- end -->)", re.S)


def rewritten(page: str, text_of: Callable[[str], str]) -> str:
    """A page with the text of every block made anew.

    Args:
        page: its Markdown.
        text_of: a block's words to its text. Text of several lines, or of a
            block that stands on lines of its own, is set between line breaks.
    """

    def block(found: re.Match[str]) -> str:
        begin, words, before, end = found.groups()
        text = text_of(words)
        if "\n" in text or before.startswith("\n"):
            text = f"\n\n{text}\n\n"
        return f"{begin}{text}{end}"

    return _BLOCK.sub(block, page)


def pages_of(docs: Path) -> list[Path]:
    """The pages that may have blocks.

    docs/*.md but for results.md, which is made as a whole; the readings of
    studies, which it holds; README.md beside docs/.
    """
    found = {*docs.glob("*.md"), *docs.glob("results/*-reading.md")}
    readme = docs.resolve().parent / "README.md"
    return sorted(found - {docs / "results.md"}) + [readme] * readme.is_file()


def rewrite_pages(docs: Path, text_of: Callable[[str], str]) -> list[Path]:
    """Makes every block of every page anew; the pages that changed.

    Raises:
        UserError: for a block that cannot be made, naming its page.
    """
    changed = []
    for path in pages_of(docs):
        page = path.read_text(encoding="utf-8")
        try:
            new = rewritten(page, text_of)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        if new != page:
            atomic_write(path, new)
            changed.append(path)
    return changed
