"""Runs as a table needs them, from their folders or from entries of a leaderboard: who was scored, on what, by which
protocol, with which means.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from salbench.errors import RunError, UsageError
from salbench.plain_text import one_line
from salbench.scoring.run_folder import SCORES, open_run
from salbench.tables.records import Record, read_record

_RUN_FORMAT = 1
_ENTRY_FORMAT = 1
_IG_BASELINE = "ig_baseline"
# A bare "auc" is refused as well: no table may print an AUC that does not say which.
_METRIC_KEY = re.compile(r"(?!auc$)[a-z][a-z0-9_]*")


NOT_RECORDED = "not recorded"
"""Printed for what a run does not say of itself."""
_DIGEST_LETTERS = 8


@dataclass(frozen=True)
class Score:
    """A metric's mean over `n` stimuli with its 95 % confidence interval; None where it is undefined."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Run:
    """A complete run. `settings` is the protocol's record but for its IG baseline.

    Runs compare only where `settings` and both digests are the same and, where IG is printed, `ig_baseline` as well.
    """

    folder: Path
    version: str
    model: str
    title: str
    trained_on: tuple[str, ...]
    uses_ground_truth: bool
    dataset: str
    dataset_title: str
    split: str
    protocol: str
    protocol_label: str
    settings: str
    details: tuple[str, ...]
    """The protocol's further settings, as `name: value`; not its IG baseline."""
    ig_baseline: str
    """What information gain is measured against; empty where the run does not say."""
    fixations: str
    """Digest of the fixations that the run was scored on; empty where it records none."""
    maps: str
    """Digest of the data set's own ground-truth maps; empty where it has, or the run records, none."""
    n: int
    errors: int
    scores: Mapping[str, Score]


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs in these folders, in order. UsageError where one folder is given twice."""
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            raise UsageError(f"the run {folder} is given twice")
        seen.add(folder.resolve())
    return [read_run(folder) for folder in folders]


def read_run(folder: Path) -> Run:
    """The run in a folder, or in an entry's file. RunError where it is no run, not complete, or damaged."""
    plan, summary = _read_entry(folder) if folder.is_file() else (_read_plan(folder), _read_summary(folder))
    if "scores_sha256" in summary.members and (folder / SCORES).is_file():
        open_run(folder)  # which looks whether its rows still give its means
    model, dataset, protocol = plan.record("model"), plan.record("dataset"), plan.record("protocol")
    inputs = plan.optional_record("inputs")
    return Run(
        folder=folder,
        version=plan.text("salbench"),
        model=model.text("key"),
        title=model.text_or("title", model.text("key")),
        trained_on=model.texts("trained_on"),
        uses_ground_truth=model.flag("uses_ground_truth"),
        dataset=dataset.text("key"),
        dataset_title=dataset.text_or("title", dataset.text("key")),
        split=dataset.text("split"),
        protocol=protocol.text("key"),
        protocol_label=protocol.text_or("label", protocol.text("key")),
        settings=_settings(protocol),
        details=_details(protocol),
        ig_baseline=protocol.optional_text(_IG_BASELINE),
        fixations=inputs.optional_text("fixations"),
        maps=inputs.optional_text("maps"),
        n=summary.count("n"),
        errors=summary.count("errors"),
        scores=_scores(summary),
    )


def short_digest(digest: str) -> str:
    """As much of a digest as tells inputs apart in print."""
    return digest[:_DIGEST_LETTERS] or NOT_RECORDED


def _read_entry(file: Path) -> tuple[Record, Record]:
    entry = read_record(file)
    if entry.count("format") != _ENTRY_FORMAT:
        raise entry.fault("format", f"is {entry.count('format')}; this salbench reads format {_ENTRY_FORMAT}")
    return entry.record("run"), entry.record("summary")


def _read_plan(folder: Path) -> Record:
    if not folder.is_dir():
        raise RunError(f"{folder} is no run folder: no such folder")
    if not (folder / "run.json").is_file():
        raise RunError(f"{folder} is no run folder: it has no run.json")
    plan = read_record(folder / "run.json")
    if plan.count("format") != _RUN_FORMAT:
        raise plan.fault("format", f"is {plan.count('format')}; this salbench reads format {_RUN_FORMAT}")
    return plan


def _read_summary(folder: Path) -> Record:
    if not (folder / "summary.json").is_file():
        raise RunError(
            f"the run {folder} is not complete: it has no summary.json. "
            "Run the same `salbench score` command again; it continues where it stopped."
        )
    return read_record(folder / "summary.json")


def _settings(protocol: Record) -> str:
    return json.dumps({key: value for key, value in protocol.members.items() if key != _IG_BASELINE}, sort_keys=True)


def _details(protocol: Record) -> tuple[str, ...]:
    further = {key: value for key, value in protocol.members.items() if key not in {"key", "label", _IG_BASELINE}}
    return tuple(one_line(f"{key}: {_setting(value)}") for key, value in further.items() if value not in (None, ""))


def _setting(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _scores(summary: Record) -> dict[str, Score]:
    metrics = summary.record("metrics")
    if not metrics.members:
        raise summary.fault("metrics", "names no metric")
    return {key: _score(metrics, key) for key in metrics.members}


def _score(metrics: Record, key: str) -> Score:
    if not _METRIC_KEY.fullmatch(key):
        raise metrics.fault(key, "is no metric key")
    score = metrics.record(key)
    return Score(score.number("mean"), score.number("ci_low"), score.number("ci_high"), score.count("n"))
