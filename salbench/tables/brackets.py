"""Brackets around values that are worse than the reference row's. They are derived here and stored nowhere."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from salbench.tables.structure import UNDEFINED, Cell, Column, Row, Section


def find_reference(section: Section, reference: str) -> Row | None:
    """The section's first row whose key or name is `reference`, whatever the case."""
    wanted = reference.casefold()
    rows = (row for row in section.rows if wanted in (row.key.casefold(), row.model.casefold()))
    return next(rows, None)


def bracket(section: Section, columns: Sequence[Column], reference: Row) -> Section:
    """The section with every value in brackets that is strictly worse than the reference's, at the printed digits."""
    return replace(section, rows=tuple(_bracket_row(row, columns, reference) for row in section.rows))


def _bracket_row(row: Row, columns: Sequence[Column], reference: Row) -> Row:
    triples = zip(row.cells, reference.cells, columns, strict=True)
    return replace(row, cells=tuple(replace(cell, bracketed=is_worse(cell, best, c)) for cell, best, c in triples))


def is_worse(cell: Cell, reference: Cell, column: Column) -> bool:
    """Whether the cell's printed value is strictly worse than the reference's; never where either is undefined."""
    if UNDEFINED in (cell.value, reference.value) or column.higher_is_better is None:
        return False
    value, bound = Decimal(cell.value), Decimal(reference.value)
    return value < bound if column.higher_is_better else value > bound
