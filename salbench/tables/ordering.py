"""The order of a table's rows."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from salbench.errors import UsageError
from salbench.names import unknown_name
from salbench.tables.structure import UNDEFINED, Column, Row, Table


def sorted_by(table: Table, wanted: str) -> Table:
    """The table with the rows of each section by a column, the best first and undefined values last.

    `wanted`: the metric's key or symbol, whatever the case. Rows of equal printed values stay in their order. A column
    of unknown direction is sorted as if more were better. UsageError for a column that the table does not have.
    """
    place = _place(table.columns, wanted)
    sections = [replace(section, rows=_sorted(section.rows, place, table.columns[place])) for section in table.sections]
    return replace(table, sections=tuple(sections))


def _place(columns: Sequence[Column], wanted: str) -> int:
    for place, column in enumerate(columns):
        if wanted.casefold() in (column.key.casefold(), column.symbol.casefold()):
            return place
    raise UsageError(unknown_name("column", wanted, [column.key for column in columns]))


def _sorted(rows: Sequence[Row], place: int, column: Column) -> tuple[Row, ...]:
    sign = 1 if column.higher_is_better is False else -1

    def worth(row: Row) -> tuple[bool, Decimal]:
        value = row.cells[place].value
        return (True, Decimal(0)) if value == UNDEFINED else (False, sign * Decimal(value))

    return tuple(sorted(rows, key=worth))
