"""A table as the blocks that every renderer prints: one a section, with a line of headings, either way round."""

from collections.abc import Sequence
from dataclasses import dataclass

from salbench.tables.structure import Cell, Row, Section, Table

Item = Cell | str
"""A cell with its value, or a plain text such as a number of stimuli."""


@dataclass(frozen=True)
class Line:
    """A heading and what stands beside it."""

    heading: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Grid:
    """A section as it is printed. `title`: over the grid, empty where the `corner`, the first heading, tells it.

    `source`: `published` or `measured`.
    """

    title: str
    corner: str
    headings: tuple[str, ...]
    lines: tuple[Line, ...]
    source: str

    @property
    def width(self) -> int:
        """Columns, that of the lines' headings included."""
        return 1 + len(self.headings)


def grids_of(table: Table, *, transpose: bool = False) -> list[Grid]:
    """The table's sections, models as lines, or with `transpose` as columns."""
    grids = [_grid(section, table) for section in table.sections]
    return [transposed(grid) for grid in grids] if transpose else grids


def _grid(section: Section, table: Table) -> Grid:
    headings = (*(column.heading for column in table.columns), *(("n",) if table.counts else ()))
    title, corner = section.title, "Model"
    if table.as_printed and section.source == "published":
        # As in print: Table 4 begins each part with its name, Tables 2 and 3 leave the corner empty.
        title, corner = "", section.title if _parts(table) > 1 else ""
    lines = tuple(Line(row.label, _items(row, counts=table.counts)) for row in section.rows)
    return Grid(title, corner, headings, lines, section.source)


def _parts(table: Table) -> int:
    return sum(section.source == "published" for section in table.sections)


def _items(row: Row, *, counts: bool) -> tuple[Item, ...]:
    return (*row.cells, *((("" if row.n is None else str(row.n)),) if counts else ()))


def transposed(grid: Grid) -> Grid:
    """The grid with its lines as columns; the corner keeps a section's name and no longer heads models."""
    columns: Sequence[tuple[Item, ...]] = list(zip(*(line.items for line in grid.lines), strict=True))
    lines = tuple(Line(heading, items) for heading, items in zip(grid.headings, columns, strict=True))
    corner = "" if grid.corner == "Model" else grid.corner
    return Grid(grid.title, corner, tuple(line.heading for line in grid.lines), lines, grid.source)
