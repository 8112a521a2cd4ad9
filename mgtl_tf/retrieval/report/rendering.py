"""Templates to pages that need nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from polar.text import utf8_text

TEMPLATES = Path(__file__).parent / "templates"
"""Holds style.css, which every page includes."""


def render(template: Path, **values: Any) -> str:
    """The text of a page, as `utf8_text`.

    Args:
        template: its file; what it includes lies beside it or in `TEMPLATES`.
        values: what it asks for; a missing one is an error.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return utf8_text(environment.get_template(template.name).render(**values))
