"""What is wrong with a run's or a training's folder, and the mend: whatever a crash, a full disk or a hand has done.

Reads the folder alone: neither the data set nor the model needs to be there.
"""

import json
import re
import shlex
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salbench.atomic import scratch_below
from salbench.errors import RunError, SalbenchError
from salbench.image_files import is_array_file
from salbench.leaderboard import check_rows
from salbench.locks import holder
from salbench.paths import PathLike
from salbench.places import left_work
from salbench.scoring.run_folder import (
    AGAIN,
    ANEW,
    ELSEWHERE,
    MANIFEST,
    MAPS,
    SCORES,
    SHARDS,
    SUMMARY,
    Run,
    open_run,
    place_of_rows,
    read_json,
    stored_rows,
)

STATE, EPOCHS, RESULT = "state.pt", "epochs.csv", "salgan.safetensors"
"""What a training's folder is known by, and what it has at the end."""
AGAIN_COMMAND = "the same command goes on from here"
MOST_KINDS = 20
"""Kinds of errors that are told apart."""


@dataclass(frozen=True)
class Finding:
    """What is wrong, and what mends it."""

    what: str
    mend: str


@dataclass(frozen=True)
class Diagnosis:
    """What a folder is (`run` or `training`), what is wrong with it, and in a line how it stands."""

    path: Path
    kind: str
    state: str
    findings: tuple[Finding, ...]


def examine(path: PathLike, *, elsewhere: bool = False) -> Diagnosis:
    """What is wrong with the folder of a run or of a training. RunError for a folder that is neither.

    `elsewhere`: look at rows that lie at a URL, too, which the folder tells; a stranger's may tell any.
    """
    path = Path(path)
    if (path / STATE).is_file() or (path / EPOCHS).is_file():
        return Diagnosis(path, "training", _training_state(path), (*_of_any(path), *_of_training(path)))
    if (path / SUMMARY).is_file() or (path / SCORES).is_file() or (path / MANIFEST).is_file():
        findings = (
            *_of_any(path),
            *(_of_finished(path) if (path / SUMMARY).is_file() else _of_unfinished(path, elsewhere)),
        )
        return Diagnosis(path, "run", _run_state(path), findings)
    raise RunError(f"{path}: holds neither a run nor a training; make one with `salbench score --out {path}`")


def _of_any(path: Path) -> Iterator[Finding]:
    """Who writes into the folder now; where nobody does, what is half-written there."""
    who = holder(path)
    if who is not None:
        yield Finding(f"{who} writes into it now", "wait for its end: what else is told may be its work of the moment")
        return
    left = (*scratch_below(path), *left_work(path / SHARDS))
    half = sorted(str(file.relative_to(path)) for file in left)
    if half:
        yield Finding(
            f"{len(half)} half-written files of a killed process, the first {half[0]}",
            "the same command removes them, or delete them: nobody reads them",
        )


def _of_unfinished(path: Path, elsewhere: bool) -> Iterator[Finding]:
    """Of a run without a summary: what is missing and what is damaged."""
    try:
        manifest = read_json(path / MANIFEST)
    except RunError as error:
        yield Finding(_without_mend(error), ANEW)
        return
    stored = set[str]()
    try:
        place = place_of_rows(path)
        if not elsewhere and (path / ELSEWHERE).exists():
            yield Finding(
                f"it is not finished; its rows lie in {place}, where nobody looked",
                f"{AGAIN_COMMAND}: {_command(manifest)}; or look there with --shards",
            )
            return
        for name, found in stored_rows(place):
            if found is None:
                yield Finding(f"{place}/{name} is damaged", f"{AGAIN_COMMAND}, and scores its stimuli again")
            elif not name.endswith(AGAIN):
                stored.update(row.stimulus for row in found)
    except SalbenchError as error:
        yield Finding(str(error), AGAIN_COMMAND)
        return
    done, wanted = len(stored), _member(manifest, "dataset", "n")
    rows = (
        f"{wanted - done:,} of {wanted:,} rows are missing" if isinstance(wanted, int) else f"{done:,} rows are there"
    )
    yield Finding(f"it is not finished: {rows}", f"{AGAIN_COMMAND}: {_command(manifest)}")


def _of_finished(path: Path) -> Iterator[Finding]:
    """Of a run with a summary: whether its files can be read and say the same."""
    try:
        run = open_run(path, checked=False)
        scores = run.scores
    except RunError as error:
        yield Finding(_without_mend(error), ANEW)
        return
    try:
        check_rows(run)
    except RunError as error:
        yield Finding(_without_mend(error), ANEW)
    wanted = _member(run.manifest, "dataset", "n")
    if len(scores) != wanted or scores["stimulus"].duplicated().any():
        yield Finding(f"{path / SCORES} has {len(scores):,} rows, not one for each of {wanted} stimuli", ANEW)
    yield from _missing_maps(run)
    yield from _failed_rows(run)
    yield from _rest(run)


def _without_mend(error: RunError) -> str:
    return str(error).removesuffix(f"; {ANEW}")


def _missing_maps(run: Run) -> Iterator[Finding]:
    """Scored stimuli whose map was to be kept and is not there; the human row has no maps."""
    if not run.manifest.get("save_maps") or _member(run.manifest, "model", "uses_ground_truth"):
        return
    scored = run.scores["stimulus"][run.scores["error"] == ""]
    lost = [name for name in scored if not is_array_file(run.path / MAPS / f"{name}.npy")]
    if lost:
        yield Finding(
            f"{len(lost):,} of {len(scored):,} maps are missing or damaged in {run.path / MAPS}, the first {lost[0]}",
            ANEW,
        )


def _failed_rows(run: Run) -> Iterator[Finding]:
    """Errors of rows, by their kind."""
    failed = run.scores[run.scores["error"] != ""]
    kinds: dict[str, list[str]] = {}
    for name, text in zip(failed["stimulus"], failed["error"], strict=True):
        kinds.setdefault(_kind(text, name), []).append(f"{name}: {text}")
    mend = "mend what they tell of, then " + ANEW
    if _again(run.path):
        mend = f"those of the moment (a timeout, a worker that died) are tried again by the same command; else {mend}"
    for kind, rows in Counter({kind: len(texts) for kind, texts in kinds.items()}).most_common(MOST_KINDS):
        yield Finding(f"{rows:,} stimuli could not be scored, such as {kinds[kind][0]}", mend)
    if len(kinds) > MOST_KINDS:
        yield Finding(f"{len(kinds) - MOST_KINDS:,} kinds of errors more", f"see `error` in {run.path / SCORES}")


def _rest(run: Run) -> Iterator[Finding]:
    """Rows that a finished run no longer needs."""
    if (run.path / ELSEWHERE).exists():
        yield Finding(f"{run.path / ELSEWHERE} tells of rows that are still elsewhere", "the same command removes them")
    elif (run.path / SHARDS).exists() and not _again(run.path):
        yield Finding(
            f"{run.path / SHARDS} was left by a process that was killed at its very end", "the same command removes it"
        )


def _of_training(path: Path) -> Iterator[Finding]:
    """Of a training: whether it is finished, and whether its files are whole as far as their frames tell."""
    if (path / STATE).is_file() and not zipfile.is_zipfile(path / STATE):
        yield Finding(f"{path / STATE} is damaged", "remove it to train anew")
    for file in sorted(path.glob("[!.]*.safetensors")):
        if not _is_whole(file):
            yield Finding(f"{file} is damaged", "remove it; what has to be there is made anew by the same command")
    if not (path / RESULT).is_file():
        yield Finding(f"it is not finished: {RESULT} is missing", AGAIN_COMMAND)


def _is_whole(file: Path) -> bool:
    """Whether a file of tensors is as long as its header says."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > file.stat().st_size:
            return False
        try:
            entries = json.loads(opened.read(length))
            ends = [entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"]
            return bool(8 + length + max(ends, default=0) == file.stat().st_size)
        except (ValueError, AttributeError, KeyError, TypeError, IndexError, RecursionError):
            return False


def _again(path: Path) -> bool:
    """Whether rows in the folder are to be made again."""
    return any((path / SHARDS).glob(f"*{AGAIN}"))


def _kind(text: str, stimulus: str) -> str:
    """An error text without what is one stimulus's own."""
    return re.sub(r"\d+", "#", text.replace(stimulus, "*"))


def _member(record: dict[str, Any], part: str, name: str) -> Any:
    inner = record.get(part)
    return inner.get(name) if isinstance(inner, dict) else None


def _command(manifest: dict[str, Any]) -> str:
    """The command as the run's record tells it: what it does is for the reader to judge, if it is salbench's at all."""
    words = manifest.get("command")
    if not isinstance(words, list) or not words or words[0] != "salbench":
        return "it is not recorded"
    return f"{shlex.join(map(str, words))} ({MANIFEST} says so)"


def _run_state(path: Path) -> str:
    if not (path / SUMMARY).is_file():
        return "unfinished"
    try:
        run = open_run(path, checked=False)
        return f"{run.summary['n']:,} rows, {run.errors:,} errors"
    except RunError:
        return "damaged"


def _training_state(path: Path) -> str:
    return "finished" if (path / RESULT).is_file() else "unfinished"
