"""The paper's Tables 2, 3 and 4, and tables of measured runs, printed as LaTeX, Markdown, HTML or CSV.

`make_table` says what a table contains, as one `Table` structure; `render` prints that structure. Renderers know
nothing of metrics, runs or brackets.
"""

from salbench.tables.build import make_table
from salbench.tables.layouts import DEFAULT_REFERENCE, LAYOUTS, Layout
from salbench.tables.rendering import FORMATS, render
from salbench.tables.structure import Cell, Column, Mark, Row, Section, Table

__all__ = [
    "DEFAULT_REFERENCE",
    "FORMATS",
    "LAYOUTS",
    "Cell",
    "Column",
    "Layout",
    "Mark",
    "Row",
    "Section",
    "Table",
    "make_table",
    "render",
]
