"""Which values of a section are the best and which come next; derived here and stored nowhere."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from salbench.arrays import FloatArray
from salbench.scoring.run_folder import Run as ScoredRun
from salbench.scoring.statistics import interval
from salbench.tables.marks import GROUND_TRUTH
from salbench.tables.runs import Run
from salbench.tables.structure import UNDEFINED, Cell, Column, Row, Section

BEST, SECOND = "best", "second"
BOUNDS = frozenset({"humans"})
"""Keys of published rows that are no models."""


def emphasise(section: Section, columns: Sequence[Column], runs: Sequence[Run] | None) -> Section:
    """The section with its best values marked, those that tie with them, and the next best.

    `runs`: those of a measured section's rows, in order. A row ties with the best one where the 95 % bootstrap interval
    of their mean difference on the same stimuli holds 0. Rows that see the ground truth take no part.
    """
    rows = list(section.rows)
    for place, column in enumerate(columns):
        marked = _column(rows, place, column, runs)
        rows = [_with_cell(row, place, emphasis) for row, emphasis in zip(rows, marked, strict=True)]
    return replace(section, rows=tuple(rows))


def _with_cell(row: Row, place: int, emphasis: str) -> Row:
    cells = list(row.cells)
    cells[place] = replace(cells[place], emphasis=emphasis)
    return replace(row, cells=tuple(cells))


def _column(rows: Sequence[Row], place: int, column: Column, runs: Sequence[Run] | None) -> list[str]:
    """The emphasis of each row's cell in one column."""
    values = [_comparable(row, row.cells[place], column) for row in rows]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return [""] * len(rows)
    top = max(known)
    best = {i for i, value in enumerate(values) if value == top}
    if runs is not None:
        best |= _tied(min(best), [i for i, value in enumerate(values) if value is not None], column.key, runs)
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


def _tied(best: int, rows: Sequence[int], key: str, runs: Sequence[Run]) -> set[int]:
    """The rows whose scores do not differ from the best row's beyond noise, on stimuli that both have."""
    top = _scores(runs[best].folder, key)
    return {i for i in rows if i != best and _is_tie(top, _scores(runs[i].folder, key), key)}


def _scores(folder: Path, key: str) -> dict[str, float] | None:
    """The metric of every stimulus; None where the run's rows are not at hand."""
    run = ScoredRun(folder)
    try:
        table = run.scores
        values: FloatArray = table[key].to_numpy(dtype=np.float64)
    except (OSError, ValueError, KeyError):
        return None
    return dict(zip(table["stimulus"], values, strict=True))


def _is_tie(top: dict[str, float] | None, other: dict[str, float] | None, key: str) -> bool:
    if top is None or other is None:
        return False
    differences = np.array([top[name] - other[name] for name in top if name in other])
    low, high = interval(differences[~np.isnan(differences)], 0, f"tie/{key}")
    return low is not None and high is not None and low <= 0 <= high
