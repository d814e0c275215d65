"""Tables as an HTML fragment, one `figure` that holds the table, its caption and its notes; or as a page with it."""

from salbench.tables.grids import grids_of
from salbench.tables.structure import Table
from salbench.tables.style import Style
from salbench.tables.templating import html_template


def to_html(table: Table, style: Style) -> str:
    """The table in HTML, every text escaped."""
    grids = grids_of(table, transpose=style.transpose)
    return html_template("table.html.j2").render(
        table=table,
        grids=grids,
        width=max((grid.width for grid in grids), default=1),
        headings_once=not (table.as_printed or style.transpose),
        plus_minus=style.plus_minus,
        document=style.document,
    )
