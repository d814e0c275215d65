"""Which values of a section are the best and which come next; derived here and stored nowhere."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from salbench.errors import RunError
from salbench.scoring.run_folder import Run as ScoredRun
from salbench.scoring.statistics import interval
from salbench.tables.marks import GROUND_TRUTH
from salbench.tables.runs import Run
from salbench.tables.structure import UNDEFINED, Cell, Column, Row, Section

BEST, SECOND = "best", "second"
BOUNDS = frozenset({"humans"})
"""Keys of published rows that are no models."""


def emphasise(section: Section, columns: Sequence[Column], runs: Sequence[Run] | None) -> tuple[Section, bool]:
    """The section with its best values marked, those that tie with them, and the next best; whether ties could be told.

    `runs`: those of a measured section's rows, in order. A row ties with the best one where the 95 % bootstrap interval
    of their mean difference on the same stimuli holds 0; that takes the rows of all runs, which entries do not have.
    Rows that see the ground truth take no part.
    """
    scored = None if runs is None else [_opened(run.folder) for run in runs]
    told = scored is not None and None not in scored
    rows = list(section.rows)
    for place, column in enumerate(columns):
        marked = _column(rows, place, column, scored if told else None)
        rows = [_with_cell(row, place, emphasis) for row, emphasis in zip(rows, marked, strict=True)]
    return replace(section, rows=tuple(rows)), told


def _opened(folder: Path) -> ScoredRun | None:
    """A run with its rows; None where they are not at hand."""
    run = ScoredRun(folder)
    try:
        _ = run.scores
    except RunError:
        return None
    return run


def _with_cell(row: Row, place: int, emphasis: str) -> Row:
    cells = list(row.cells)
    cells[place] = replace(cells[place], emphasis=emphasis)
    return replace(row, cells=tuple(cells))


def _column(rows: Sequence[Row], place: int, column: Column, runs: Sequence[ScoredRun | None] | None) -> list[str]:
    """The emphasis of each row's cell in one column."""
    values = [_comparable(row, row.cells[place], column) for row in rows]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return [""] * len(rows)
    top = max(known)
    best = {i for i, value in enumerate(values) if value == top}
    if runs is not None:
        first = min(best)
        others = [i for i, value in enumerate(values) if value is not None and i not in best]
        best |= {i for i in others if _is_tie(runs[first], runs[i], column.key)}
    rest = [value for i, value in enumerate(values) if value is not None and i not in best]
    second = max(rest) if rest else None
    return [BEST if i in best else SECOND if second is not None and v == second else "" for i, v in enumerate(values)]


def _comparable(row: Row, cell: Cell, column: Column) -> Decimal | None:
    """The printed value, such that more is better; None where it takes no part."""
    if cell.value == UNDEFINED or column.higher_is_better is None:
        return None
    if GROUND_TRUTH in row.marks or row.key in BOUNDS:
        return None
    return Decimal(cell.value) if column.higher_is_better else -Decimal(cell.value)


def _is_tie(best: ScoredRun | None, other: ScoredRun | None, key: str) -> bool:
    """Whether two runs' scores do not differ beyond noise, on stimuli that both have."""
    if best is None or other is None:
        return False
    pair = [dict(zip(run.scores["stimulus"], run.column(key), strict=True)) for run in (best, other)]
    differences = np.array([pair[0][name] - pair[1][name] for name in pair[0] if name in pair[1]])
    low, high = interval(differences[~np.isnan(differences)], 0, f"tie/{key}")
    return low is not None and high is not None and low <= 0 <= high
