"""Templates to pages that need nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from polar.text import utf8_text

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
"""Holds style.css, which every page includes."""


def render(template: Path, **values: Any) -> str:
    """The text of a page, as `utf8_text`.

    Args:
        template: its file; what it includes lies beside it or in `TEMPLATES`.
        values: what it asks for; a missing one is an error.
    """
    environment = page_environment(template.parent, TEMPLATES)
    return utf8_text(environment.get_template(template.name).render(**values))


def page_environment(*folders: Path, **options: Any) -> jinja2.Environment:
    """Jinja's environment of all pages: escaped, and a missing value an error.

    Args:
        folders: of the templates.
        options: further ones of jinja2.Environment.
    """
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )
