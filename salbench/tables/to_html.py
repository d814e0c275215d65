"""Tables as an HTML fragment: one `figure` that holds the table, its caption and its notes."""

from salbench.tables.structure import Table
from salbench.tables.templating import html_template


def to_html(table: Table) -> str:
    """The table in HTML, every text escaped."""
    return html_template("table.html.j2").render(table=table, width=1 + len(table.columns) + table.counts)
