"""The leaderboard as one page: published and measured figures, with intervals drawn and where they come from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salbench import __version__
from salbench.atomic import write_text
from salbench.errors import UsageError
from salbench.leaderboard import entries_of
from salbench.metrics import METRICS
from salbench.pages.page import names_page, render_page
from salbench.paths import PathLike
from salbench.scoring.run_folder import MANIFEST, read_json
from salbench.tables import make_table
from salbench.tables.notes import INTERVALS
from salbench.tables.structure import UNDEFINED, Cell, Column, Mark, Row, Section

INTRO = (
    "Published figures keep the digits of their source; measured ones come with the 95 % bootstrap interval over "
    "stimuli, drawn below them on the scale of their column in that section. Values compare within a section only."
)
ORIGIN = ("salbench", "created", "command", "seed", "model", "protocol", "inputs", "versions")
"""Members of a run's manifest that tell where its figures come from."""


@dataclass(frozen=True)
class DrawnCell:
    """A value and where it lies between its column's least and greatest, in per cent; None where it is undefined."""

    text: str
    number: float | None
    interval: str
    emphasis: str
    low: float | None = None
    at: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class DrawnRow:
    """A model's row. `origin`: JSON text, empty for published rows."""

    model: str
    marks: tuple[Mark, ...]
    cells: list[DrawnCell]
    origin: str


def write_site(out: PathLike, boards: Sequence[PathLike]) -> None:
    """Write the page of these boards' entries, and runs, beside every published figure.

    `out`: a file that ends with .html. Raises UsageError where it does not, and RunError for a board without entries
    and for an entry or run that is damaged.
    """
    if not names_page(Path(out)):
        raise UsageError(f"{out}: browsers show it as a page only if its name ends with .html")
    entries = [entry for board in boards for entry in entries_of(Path(board))]
    table = make_table(entries, layout="plain", published=True, emphasis=True)
    page = render_page(
        "leaderboard.html.j2",
        title="Visual saliency leaderboard",
        version=__version__,
        intro=INTRO,
        datasets=sorted({section.dataset for section in table.sections}),
        sections=[_section(section, table.columns) for section in table.sections],
        notes=[note for note in table.notes if note != INTERVALS],  # said in the introduction
    )
    write_text(Path(out), page)


def _section(section: Section, columns: Sequence[Column]) -> dict[str, Any]:
    """A section with only the columns that it has values in."""
    used = [i for i in range(len(columns)) if any(row.cells[i].value != UNDEFINED for row in section.rows)]
    spans = {i: _span([row.cells[i] for row in section.rows]) for i in used}
    return {
        "title": section.title,
        "source": section.source,
        "dataset": section.dataset,
        "columns": [_heading(columns[i]) for i in used],
        "rows": [_row(row, used, spans) for row in section.rows],
    }


def _heading(column: Column) -> dict[str, Any]:
    title = METRICS[column.key].title if column.key in METRICS else column.key
    return {"heading": column.heading, "higher_is_better": column.higher_is_better, "title": title}


def _row(row: Row, used: Sequence[int], spans: dict[int, tuple[float, float]]) -> DrawnRow:
    origin = "" if row.run is None else _origin(row.run)
    return DrawnRow(row.model, row.marks, [_cell(row.cells[i], *spans[i]) for i in used], origin)


def _span(cells: Sequence[Cell]) -> tuple[float, float]:
    """The least and greatest figure of a column, interval ends included, with room for a lone one."""
    figures = [float(text) for cell in cells for text in (cell.value, *(cell.interval or ())) if text != UNDEFINED]
    low, high = min(figures), max(figures)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _cell(cell: Cell, low: float, high: float) -> DrawnCell:
    if cell.value == UNDEFINED:
        return DrawnCell(UNDEFINED, None, "", "")

    def place(text: str) -> float:
        return round(100 * (float(text) - low) / (high - low), 2)

    ends = cell.interval or (cell.value, cell.value)
    interval = f"{ends[0]} to {ends[1]}" if cell.interval else ""
    at = place(cell.value)
    return DrawnCell(cell.value, float(cell.value), interval, cell.emphasis, place(ends[0]), at, place(ends[1]))


def _origin(run: Path) -> str:
    manifest = read_json(run)["run"] if run.is_file() else read_json(run / MANIFEST)
    return json.dumps({key: manifest[key] for key in ORIGIN if key in manifest}, indent=2, ensure_ascii=False)
