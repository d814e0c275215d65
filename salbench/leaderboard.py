"""Measured results that are worth keeping: a JSON file per run, with all that is needed to trust and repeat it.

An entry holds the run's whole manifest (model, data set, protocol, seed, check sums of what went in, versions, command)
and its whole summary (means, intervals, counts, check sum of the rows).
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from salbench.atomic import remove_scratch, write_json
from salbench.errors import RunError, UsageError
from salbench.locks import held
from salbench.scoring.run_folder import ANEW, MANIFEST, MOST_JSON, Run, agree, check_scores, identity, read_json
from salbench.scoring.statistics import summarise

FORMAT = 1
PATIENCE = 10.0
"""Seconds that an entry waits for others to be written."""


def entry_of(run: Run) -> dict[str, Any]:
    """What is kept of a finished run. RunError where its rows are not those that its summary was made of."""
    check_rows(run)
    return {"format": FORMAT, "run": run.manifest, "summary": run.summary}


def add(run: Run, board: Path, name: str | None = None) -> Path:
    """Write a run's entry into a folder, as `NAME.json`, by default under the name of the run's folder.

    RunError, beside what `entry_of` raises, where the name is that of another run's entry, or where another process
    writes into the folder for too long.
    """
    label = name or run.path.resolve().name
    if Path(label).name != label or "\\" in label or label.startswith("."):
        raise UsageError(f"the name is {label!r}; wanted: that of a file in the board's folder, without its .json")
    file, entry = board / f"{label}.json", entry_of(run)
    with held(board, patience=PATIENCE):
        remove_scratch(file)
        if file.exists():
            there = read_json(file).get("run")
            if not isinstance(there, dict) or identity(there) != identity(run.manifest):
                raise RunError(f"{file} is the entry of another run; name this one with --name")
        write_json(file, entry)
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
    if not file.is_file():  # a folder, or a pipe, which would be waited for
        return False
    try:
        if file.stat().st_size > MOST_JSON:
            return True  # told of where it is read
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return True  # as above
    return isinstance(content, dict) and bool({"run", "summary"} & content.keys())


def shipped_entries() -> list[Path]:
    """The entries that come with salbench; none where it comes without."""
    board = Path(str(files("salbench_leaderboards") / "measured"))
    return [file for file in sorted(board.rglob("*.json")) if _is_entry(file)] if board.is_dir() else []


def check_rows(run: Run) -> None:
    """RunError where a file of the run was changed after it was finished: what its rows give must be its summary."""
    if run.summary.get("scores_sha256") is None:
        raise RunError(f"{run.path} was made before runs had check sums; {ANEW}")
    check_scores(run)
    keys = run.manifest["metrics"]
    if set(run.summary["metrics"]) != set(keys):
        raise RunError(f"{run.path}: its summary tells of other metrics than its plan")
    for key, figures in summarise({key: run.column(key) for key in keys}, run.manifest["seed"]).items():
        for name, value in figures.items():
            if not agree(value, run.summary["metrics"][key][name]):
                said = run.summary["metrics"][key][name]
                raise RunError(f"{run.path}: the rows give {key} {name} {value}, but its summary says {said}")
