"""One entry for all output formats."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from salbench.errors import UsageError
from salbench.names import unknown_name
from salbench.tables.structure import Table
from salbench.tables.style import INTERVAL_STYLES, Style
from salbench.tables.to_csv import to_csv
from salbench.tables.to_html import to_html
from salbench.tables.to_latex import to_latex
from salbench.tables.to_markdown import to_markdown

FORMATS: Mapping[str, Callable[[Table, Style], str]] = MappingProxyType(
    {"latex": to_latex, "markdown": to_markdown, "html": to_html, "csv": to_csv}
)
"""Every output format by the name that the command line takes."""


def render(
    table: Table,
    format: str,  # noqa: A002 - the option's name
    *,
    transpose: bool = False,
    interval_style: str = "brackets",
    siunitx: bool = False,
    document: bool = False,
) -> str:
    """The table as text that ends with a line break.

    `transpose`: models as columns, but not in CSV. `interval_style`: `brackets`, or `plus-minus` for half of the
    interval's width, which drops that an interval may be lopsided. LaTeX only: `siunitx` aligns figures at their
    decimal point by that package; `document` gives a whole article that compiles. `document` of HTML is a whole page.
    UsageError for a format or interval style that there is not, and for options that do nothing in the format.
    """
    if format not in FORMATS:
        raise UsageError(unknown_name("format", format, list(FORMATS)))
    if interval_style not in INTERVAL_STYLES:
        raise UsageError(unknown_name("interval style", interval_style, list(INTERVAL_STYLES)))
    if siunitx and format != "latex":
        raise UsageError(f"siunitx is a package of LaTeX; it does nothing in {format}")
    if format == "csv" and (transpose or interval_style != INTERVAL_STYLES[0]):
        raise UsageError("csv is for machines: it is never transposed, and has interval ends as columns of their own")
    if document and format not in ("latex", "html"):
        raise UsageError(f"{format} has no whole document; document is for latex and html")
    return FORMATS[format](table, Style(transpose, interval_style, siunitx, document))
