"""Tables as CSV for machines: one header, a row a model, values as printed and without brackets, no notes.

Brackets and marks are columns of their own. Where a table prints intervals, every metric has three further columns.
"""

import csv
import io
import itertools
from collections.abc import Iterator

from salbench.tables.structure import Cell, Column, Row, Section, Table
from salbench.tables.style import Style

_LEADING = ("section", "source", "dataset", "split", "protocol", "key", "model", "flags", "bracketed", "n", "errors")
# A spreadsheet takes a cell that begins with one of these for a formula, even behind white space.
_BREAKS = ("\t", "\r", "\n")
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def to_csv(table: Table, _: Style) -> str:
    """The table in CSV; `pandas.read_csv` reads it without arguments."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    emphasised = any(cell.emphasis for section in table.sections for row in section.rows for cell in row.cells)
    writer.writerow([*_LEADING, *(("emphasis",) if emphasised else ()), *_headings(table)])
    for section in table.sections:
        for row in section.rows:
            marked = (_emphasis(row, table),) if emphasised else ()
            writer.writerow([*_leading(section, row, table), *marked, *_figures(row, table)])
    return stream.getvalue()


def safe_text(text: str) -> str:
    """Text that no spreadsheet takes for a formula: a leading apostrophe where it would.

    Some drop what cannot be printed, so what stands behind it counts, and a leading tab or line break itself.
    """
    printed = "".join(itertools.dropwhile(lambda c: c.isspace() or not c.isprintable(), text))
    return f"'{text}" if printed.startswith(_FORMULA_STARTS) or text[:1] in _BREAKS else text


def _headings(table: Table) -> Iterator[str]:
    for column in table.columns:
        yield from _headings_of(column, intervals=table.intervals)


def _headings_of(column: Column, *, intervals: bool) -> tuple[str, ...]:
    further = ("ci_low", "ci_high", "n") if intervals else ()
    return (column.key, *(f"{column.key}_{name}" for name in further))


def _leading(section: Section, row: Row, table: Table) -> list[str | int | None]:
    texts = (section.title, section.source, section.dataset, section.split, section.protocol, row.key, row.model)
    flags = ";".join(mark.key for mark in row.marks)
    pairs = zip(table.columns, row.cells, strict=True)
    bracketed = ";".join(column.key for column, cell in pairs if cell.bracketed)
    return [*map(safe_text, texts), flags, bracketed, row.n, row.errors]


def _emphasis(row: Row, table: Table) -> str:
    """Which of the row's values are best or second, as `nss:best;cc:second`."""
    pairs = zip(table.columns, row.cells, strict=True)
    return ";".join(f"{column.key}:{cell.emphasis}" for column, cell in pairs if cell.emphasis)


def _figures(row: Row, table: Table) -> Iterator[str | int | None]:
    for cell in row.cells:
        yield cell.value
        if table.intervals:
            yield from _interval(cell)


def _interval(cell: Cell) -> tuple[str | int | None, ...]:
    return (*(cell.interval or (None, None)), cell.n)
