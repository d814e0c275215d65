"""The frame of every page: one style, light and dark, and data that no text can break out of."""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

GENERATOR = b'<meta name="generator" content="salbench">'
"""By which a page is known again."""

_ENVIRONMENT = Environment(
    loader=PackageLoader("salbench.pages"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=True,
)


def names_page(path: Path) -> bool:
    """Whether browsers take a file of this name for a page."""
    return path.suffix.lower() in (".html", ".htm")


def made_here(page: Path) -> bool:
    """Whether a page is one of salbench's, which may be written anew."""
    with page.open("rb") as file:
        return GENERATOR in file.read(1000)


def render_page(template: str, **values: Any) -> str:
    """A page from a template of this package, which extends `base.html.j2`. Every value is escaped as HTML."""
    return _ENVIRONMENT.get_template(template).render(**values)


def as_script_data(content: Any) -> Markup:
    """A value as JSON inside a `<script type="application/json">`: strict, and without a `<` that could end it."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    escaped = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return Markup(escaped)  # noqa: S704 - no `<` is left in it


_ENVIRONMENT.filters["script_data"] = as_script_data
