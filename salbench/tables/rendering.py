"""One entry for all output formats."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from salbench.errors import UsageError
from salbench.names import unknown_name
from salbench.tables.structure import Table
from salbench.tables.to_csv import to_csv
from salbench.tables.to_html import to_html
from salbench.tables.to_latex import to_latex
from salbench.tables.to_markdown import to_markdown

FORMATS: Mapping[str, Callable[[Table], str]] = MappingProxyType(
    {"latex": to_latex, "markdown": to_markdown, "html": to_html, "csv": to_csv}
)
"""Every output format by the name that the command line takes."""


def render(table: Table, format: str) -> str:  # noqa: A002 - the option's name
    """The table as text that ends with a line break. UsageError for a format that is not in `FORMATS`."""
    try:
        renderer = FORMATS[format]
    except KeyError:
        raise UsageError(unknown_name("format", format, list(FORMATS))) from None
    return renderer(table)
