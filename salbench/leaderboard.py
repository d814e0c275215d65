"""Measured results that are worth keeping: a JSON file per run, with all that is needed to trust and repeat it.

An entry holds the run's whole manifest (model, data set, protocol, seed, check sums of what went in, versions, command)
and its whole summary (means, intervals, counts, check sum of the rows).
"""

import json
import math
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from salbench.atomic import write_json
from salbench.digests import digest_file
from salbench.errors import RunError
from salbench.scoring.run_folder import MANIFEST, SCORES, Run

FORMAT = 1
AGREEMENT = 1e-12
"""How far a stored mean may lie from that of the stored rows, relative to it: rounding of sums in another order."""


def entry_of(run: Run) -> dict[str, Any]:
    """What is kept of a finished run. RunError where its rows are not those that its summary was made of."""
    check_rows(run)
    return {"format": FORMAT, "run": run.manifest, "summary": run.summary}


def add(run: Run, board: Path, name: str | None = None) -> Path:
    """Write a run's entry into a folder, as `NAME.json`, by default under the name of the run's folder."""
    file = board / f"{name or run.path.resolve().name}.json"
    write_json(file, entry_of(run))
    return file


def entries_of(board: Path) -> list[Path]:
    """The entries of a board in the order of their names, its folders' included; or the run that a path itself is.

    RunError for a folder that has neither.
    """
    if board.is_file() or (board / MANIFEST).is_file():
        return [board]
    entries = [file for file in sorted(board.rglob("*.json")) if _is_entry(file)]
    if not entries:
        raise RunError(f"{board} has no entries; make one with `salbench leaderboard add RUN --board {board}`")
    return entries


def _is_entry(file: Path) -> bool:
    """Whether a file means to be an entry; a record of another kind may lie beside entries."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True  # told of where it is read
    return isinstance(content, dict) and {"run", "summary"} <= content.keys()


def shipped_board() -> Path:
    """The folder of the measured results that come with salbench."""
    return Path(str(files("salbench_leaderboards") / "measured"))


def check_rows(run: Run) -> None:
    """RunError where a file of the run was changed after it was finished."""
    recorded = run.summary.get("scores_sha256")
    try:
        scores, found = run.scores, digest_file(run.path / SCORES)
    except Exception as error:  # a damaged parquet file raises errors of many kinds
        raise RunError(f"{run.path / SCORES} cannot be read ({error}); score anew with --overwrite") from error
    if recorded is not None and recorded != found:
        raise RunError(
            f"{run.path / SCORES} is not the file that the run wrote (SHA-256 {found[:8]}, not {recorded[:8]})"
        )
    if len(scores) != run.summary["n"]:
        raise RunError(f"{run.path}: {len(scores)} rows, but its summary tells of {run.summary['n']}")
    for key, figures in run.summary["metrics"].items():
        values = scores[key].to_numpy(dtype=np.float64)
        defined = values[~np.isnan(values)]
        mean = float(defined.mean()) if defined.size else None
        if not _agree(mean, figures["mean"]):
            raise RunError(f"{run.path}: the rows' mean of {key} is {mean}, but its summary says {figures['mean']}")


def _agree(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=AGREEMENT, abs_tol=AGREEMENT)
