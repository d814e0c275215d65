"""A run on disk: what was asked (`run.json`), a row per stimulus (`scores.parquet`), the means (`summary.json`).

While a run is going on its rows lie in `shards/`, each file whole, or at a URL that `shards.json` tells; a run that was
killed goes on from them. They stay where a stimulus failed for a reason that may pass: the same command tries that one
again.
"""

import hashlib
import json
import math
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from salbench.arrays import FloatArray, IntArray
from salbench.atomic import remove_scratch, replacing, scratch_below, write_json
from salbench.digests import digest_file
from salbench.errors import RunError, UsageError, going_on
from salbench.locks import LOCK, held
from salbench.paths import PathLike
from salbench.places import FolderPlace, Place, URLPlace, remove_left_work
from salbench.scoring.stimulus_score import Row

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

FORMAT = 1
ANEW = "score anew with --overwrite"
"""The mend of a finished run whose files are not what they were."""
AGAIN = ".again.jsonl"
"""How files end in `shards/` whose rows are to be made again: their errors are of the moment."""
MANIFEST, SCORES, SUMMARY, SHARDS, MAPS = "run.json", "scores.parquet", "summary.json", "shards", "maps"
ELSEWHERE = "shards.json"
"""The record of where the rows of a run lie that is not finished, and does not keep them in its folder."""
OWN_ROWS = re.compile(r"/salbench-[0-9a-f]{16}$")
"""How the folder of a run's rows ends: what is removed with all that is in it is never somebody else's."""

CHECK_SUM_DIGITS = 64
NUMBER = int | float | None
MANIFEST_MEMBERS: Mapping[str, Any] = {
    "model": {"key": str, "title": str},
    "dataset": {"key": str, "title": str, "split": str},
    "protocol": {"key": str, "label": str, "blur": str, "blur_sigma": NUMBER},
    "inputs": {},
    "metrics": list,
    "seed": int,
}
FIGURES: Mapping[str, Any] = {"mean": NUMBER, "ci_low": NUMBER, "ci_high": NUMBER, "n": int}
SUMMARY_MEMBERS: Mapping[str, Any] = {"n": int, "errors": int, "metrics": {}}
"""What every finished run has, with its types or members of its own, so that whoever opens one need not ask."""

MOST_JSON = 64 << 20
"""Bytes of a record; that of a run has some thousand."""
MOST_ROWS = 10_000_000
"""Of a run; a file of a few kilobytes can claim any number."""

AGREEMENT = 1e-9
"""How far a stored figure may lie from that of the stored rows, relative to it."""
MOST_BYTES = 2 << 30
"""Of the rows as they are in memory; a hundred thousand take about 10 million."""
TEXTS = ("stimulus", "category", "error")
"""The columns of text that rows have."""

IDENTITY = ("format", "salbench", "model", "dataset", "protocol", "metrics", "seed", "save_maps", "inputs")


@dataclass(frozen=True)
class Run:
    """A finished run of one (model, data set, split)."""

    path: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Everything needed to repeat the run."""
        return read_json(self.path / MANIFEST)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """`{"n": …, "metrics": {key: {"mean", "ci_low", "ci_high", "n"}}, …}`; None stands for undefined."""
        return read_json(self.path / SUMMARY)

    @cached_property
    def scores(self) -> "pd.DataFrame":
        """A row per stimulus: `stimulus`, the metric keys (NaN where undefined), `error` (empty where none); between
        the first two `category`, where the data set has any.
        """
        file = self.path / SCORES
        try:
            import pyarrow.parquet as pq  # noqa: PLC0415 - heavy, and workers do without

            _check_claims(pq.ParquetFile(file), self.manifest["metrics"], file)
            # As dictionaries: a text that a small file repeats without end is held once until its length is known.
            table: pd.DataFrame
            table = _with_plain_texts(pq.read_table(file, read_dictionary=[*TEXTS]), file).to_pandas()
        except RunError:
            raise
        except Exception as error:  # a damaged file raises errors of many kinds
            raise RunError(f"{file}: cannot be read ({error}); {ANEW}") from error
        _check_columns(table, self.manifest["metrics"], file)
        return table

    def column(self, key: str) -> FloatArray:
        """A metric of every stimulus, (n,) float64, NaN where undefined; in the order of `scores`."""
        values: FloatArray = self.scores[key].to_numpy(dtype=np.float64)
        return values

    @property
    def errors(self) -> int:
        """How many stimuli could not be scored."""
        return int(self.summary["errors"])

    def mean(self, key: str) -> float:
        """The mean of a metric over the stimuli where it is defined; NaN where it is nowhere."""
        value = self.summary["metrics"][key]["mean"]
        return math.nan if value is None else float(value)


@dataclass(frozen=True)
class ScoreTable:
    """The rows of a split as columns, a few bytes a stimulus, in the split's order.

    `scores`: by metric key (n,) float64, NaN where undefined; `errors`: empty where all went well. `fixations`: how
    many lie inside the frame; `dropped`: how many were recorded outside; both (n,) int. `categories`: what the data set
    sorts each stimulus under, None where it sorts none.
    """

    stimuli: Sequence[str]
    scores: dict[str, FloatArray]
    errors: list[str]
    fixations: IntArray
    dropped: IntArray
    categories: Sequence[str] | None = None

    @classmethod
    def of(
        cls,
        stimuli: Sequence[str],
        keys: Sequence[str],
        rows: Iterable[Row],
        categories: Sequence[str] | None = None,
    ) -> "ScoreTable":
        """The table of rows that come in any order.

        KeyError for a row of another stimulus, RunError where one of a stimulus is missing.
        """
        count = len(stimuli)
        scores = {key: np.full(count, np.nan) for key in keys}
        table = cls(stimuli, scores, [""] * count, np.zeros(count, np.int64), np.zeros(count, np.int64), categories)
        places = {name: place for place, name in enumerate(stimuli)}
        there = np.zeros(count, bool)
        for row in rows:
            place = places[row.stimulus]
            there[place] = True
            for key in keys:
                table.scores[key][place] = row.scores[key]
            table.errors[place] = row.error
            table.fixations[place], table.dropped[place] = row.fixations, row.dropped
        if not there.all():
            raise RunError(f"{count - there.sum()} rows that were stored cannot be read; run the same command again")
        return table


class RunFolder:
    """The folder of a run that is being made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shards: Place = FolderPlace(path / SHARDS)
        """Where the rows lie until the run is finished; `begin` finds out."""

    @property
    def complete(self) -> bool:
        """Whether the run in this folder was finished."""
        return (self.path / SUMMARY).is_file()

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folder for this process alone. RunError where another one writes into it, or where it is a file."""
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path}: exists and holds no run; name another folder with --out")
        with held(self.path):
            yield

    @property
    def _has_results(self) -> bool:
        return self.complete or (self.path / SCORES).is_file() or bool(self._stored())

    def _stored(self, ending: str = ".jsonl") -> list[str]:
        """The files with rows, sorted. RunError where it cannot be seen which there are."""
        with reachable(self.shards):
            return [name for name in self.shards.names() if name.endswith(ending)]

    def begin(
        self, manifest: Mapping[str, Any], *, overwrite: bool, repeatable: bool, shards: str | None = None
    ) -> None:
        """Claim the folder, which must be held, for a run, or go on with the same run in it.

        `repeatable`: whether two equal manifests mean the same model; an object made by the caller's code may have
        changed since. `shards`: the URL below which the rows of a new run lie, instead of in the folder.
        Raises RunError where the folder holds something else, naming what differs, and where rows cannot be reached.
        """
        self._tidy()
        self.shards = place_of_rows(self.path)
        if (self.path / MANIFEST).is_file() and (overwrite or not self._has_results):
            if not overwrite:
                self._check_own()
            self._clear()
        if (self.path / MANIFEST).is_file():
            self._check_same(manifest)
            if not repeatable:
                raise RunError(
                    f"{self.path}: holds a run of a model object, which may have changed since; "
                    "score anew with overwrite=True, or name another folder"
                )
            self._check_shards(shards)
        elif any(path.name != LOCK for path in self.path.iterdir()):
            raise RunError(f"{self.path}: exists and holds no run; name another folder with --out")
        else:
            self._begin_anew(manifest, shards)
        self._open_again()
        if not self.complete:
            with reachable(self.shards):
                self.shards.make()

    def _begin_anew(self, manifest: Mapping[str, Any], url: str | None) -> None:
        """Write the plan. Below a URL each run has a folder of its own: no two ever mix their rows, or remove those of
        the other. It is tried before anything is written, so that another may be named.
        """
        place = None if url is None else URLPlace(url).below(f"salbench-{secrets.token_hex(8)}")
        if place is not None:
            with reachable(place):
                place.make()
        with going_on(self.path / MANIFEST):
            write_json(self.path / MANIFEST, manifest)
            if place is not None:
                write_json(self.path / ELSEWHERE, {"url": place.url})
                self.shards = place

    def _check_shards(self, url: str | None) -> None:
        """RunError where the rows of a run that goes on lie elsewhere than below this URL."""
        if url is not None and not self.complete and not str(self.shards).startswith(f"{url.rstrip('/')}/"):
            raise RunError(f"{self.path}: this run keeps its rows in {self.shards}: leave --shards out, or {ANEW}")

    def _tidy(self) -> None:
        """Remove what a killed process left half-written, which nobody reads."""
        for name in (MANIFEST, SCORES, SUMMARY, ELSEWHERE):
            remove_scratch(self.path / name)
        for leftover in scratch_below(self.path / MAPS, ".npy"):
            leftover.unlink(missing_ok=True)
        remove_left_work(self.path / SHARDS)

    def _open_again(self) -> None:
        """Drop the rows that are to be made again; a finished run that has some is one that was interrupted then."""
        try:
            again = self._stored(AGAIN)
        except RunError:
            if not self.complete:
                raise
            again = []  # what is finished can be had all the same
        if again:
            (self.path / SUMMARY).unlink(missing_ok=True)
        elif self.complete:
            with suppress(OSError, RunError):  # a finished run may lie where nothing can be written
                self._drop_rows()  # of a process that was killed at its very end
        with reachable(self.shards):
            for name in again:
                self.shards.remove(name)

    def _drop_rows(self) -> None:
        with reachable(self.shards):
            self.shards.clear()
        if (self.path / ELSEWHERE).exists():
            (self.path / ELSEWHERE).unlink()

    def add(self, rows: Sequence[Row]) -> None:
        """Store finished rows as one more shard. One that a crash of the machine damages is scored again.

        WriteError where the disk does not take them.
        """
        for ending, passing in ((".jsonl", False), (AGAIN, True)):
            text = "".join(json.dumps(asdict(row)) + "\n" for row in rows if row.passing is passing)
            if text:
                with going_on(self.shards):
                    self.shards.write(f"{_check_sum(text)}{ending}", text.encode())

    def rows(self) -> Iterator[Row]:
        """The rows stored so far, shard by shard; a stimulus that was scored twice comes twice, with the same row."""
        for _, rows in stored_rows(self.shards):
            yield from rows or ()  # the stimuli of a damaged one are scored again

    def finish(self, table: ScoreTable, summary: Mapping[str, Any]) -> Run:
        """Write the scores and the summary with their check sum, in this order, and drop the shards, unless rows of
        theirs are to be made again. WriteError where the disk does not take them.
        """
        import pyarrow as pa  # noqa: PLC0415 - heavy, and workers do without
        import pyarrow.parquet as pq  # noqa: PLC0415

        # Made from buffers: `pa.array` would import pandas, which takes longer than all that is written here.
        columns: dict[str, Any] = {"stimulus": _text_column(pa, table.stimuli)}
        if table.categories is not None:
            columns["category"] = _text_column(pa, table.categories)
        for key, values in table.scores.items():
            columns[key] = pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(values)])
        columns["error"] = _text_column(pa, table.errors)
        # An open file: of a path's text pyarrow would take what looks like an address for one.
        with going_on(self.path / SCORES), replacing(self.path / SCORES) as scratch, scratch.open("wb") as file:
            pq.write_table(pa.table(columns), file, use_dictionary=False)
        with going_on(self.path / SUMMARY):
            write_json(self.path / SUMMARY, {**summary, "scores_sha256": digest_file(self.path / SCORES)})
        if not self._stored(AGAIN):
            self._drop_rows()
        return Run(self.path)

    def _check_own(self) -> None:
        """RunError for a manifest that salbench did not write: what lies beside it is somebody's, and stays."""
        stored = read_json(self.path / MANIFEST)
        if not {"format", "salbench", *MANIFEST_MEMBERS} <= stored.keys():
            raise RunError(
                f"{self.path}: holds a {MANIFEST} that is no run's; name another folder with --out, "
                "or remove what lies there with --overwrite"
            )

    def _check_same(self, manifest: Mapping[str, Any]) -> None:
        stored = read_json(self.path / MANIFEST)
        wanted = json.loads(json.dumps(identity(manifest)))
        different = differences(identity(stored), wanted)
        if different:
            raise RunError(
                f"{self.path}: holds another run; {'; '.join(different[:4])}. Name another folder with --out, or {ANEW}"
            )

    def _clear(self) -> None:
        """Remove a run. Its manifest goes last, so that a kill in between leaves something that is known as a run."""
        try:
            self._drop_rows()  # first: where they cannot be reached, nothing is lost
        except RunError as error:
            raise RunError(f"{error}; or remove {self.path}, and leave them there") from error
        for name in (SUMMARY, SCORES):
            (self.path / name).unlink(missing_ok=True)
        for name in (SHARDS, MAPS):
            shutil.rmtree(self.path / name, ignore_errors=True)
        (self.path / MANIFEST).unlink()
        self.shards = FolderPlace(self.path / SHARDS)


def place_of_rows(path: Path) -> Place:
    """Where the rows of the run in a folder lie until it is finished. RunError where the record of it is damaged."""
    if not (path / ELSEWHERE).is_file():
        return FolderPlace(path / SHARDS)
    url = read_json(path / ELSEWHERE).get("url")
    if not isinstance(url, str) or not OWN_ROWS.search(url):
        raise RunError(f"{path / ELSEWHERE}: names no place of rows; remove the folder, and score anew")
    return URLPlace(url)


@contextmanager
def reachable(place: Place) -> Iterator[None]:
    """RunError, with the mend, for what fails at the place where rows are kept."""
    try:
        yield
    except (OSError, UsageError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise RunError(
            f"{place}: cannot be used ({why}); what was finished is kept: mend it, and run the same command again"
        ) from error


def stored_rows(place: Place) -> Iterator[tuple[str, list[Row] | None]]:
    """The name of each file with rows, sorted, and its rows; None where it is damaged. RunError as `reachable`."""
    with reachable(place):
        names = [name for name in place.names() if name.endswith(".jsonl")]
        for name, content in zip(names, place.read_each(names), strict=True):
            yield name, read_shard(name, content)


def read_shard(name: str, content: bytes | None) -> list[Row] | None:
    """The rows of a file; None where it is damaged, which its name tells: the check sum of what was written."""
    try:
        text = "" if content is None else content.decode("utf-8")
        rows = [Row(**json.loads(line)) for line in text.splitlines()]
    except (ValueError, TypeError, RecursionError):
        return None
    stem = name.partition(".")[0]
    as_written = len(stem) != CHECK_SUM_DIGITS or stem == _check_sum(text)  # older ones have other names
    return rows if rows and as_written else None


def _check_sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _text_column(pa: ModuleType, texts: Sequence[str]) -> Any:
    """A column of texts: where each ends, and all of them one after the other."""
    encoded = [text.encode("utf-8", "backslashreplace") for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def open_run(path: PathLike, *, checked: bool = True) -> Run:
    """A finished run. RunError where the folder holds none, or one that was interrupted or, unless not `checked`,
    changed afterwards.
    """
    path = Path(path)
    if not (path / MANIFEST).is_file():
        raise RunError(f"{path}: holds no run ({MANIFEST} is missing); make one with `salbench score --out {path}`")
    if not (path / SUMMARY).is_file():
        raise RunError(f"{path}: the run was interrupted; finish it with the same `salbench score` command")
    run = Run(path)
    _check_record(run.manifest, MANIFEST_MEMBERS, path / MANIFEST)
    _check_record(run.summary, SUMMARY_MEMBERS, path / SUMMARY)
    for key in run.manifest["metrics"]:
        if not isinstance(key, str):
            raise RunError(f"{path / MANIFEST}: metrics has {_short(key)}; {ANEW}")
        _check_record(run.summary["metrics"], {key: FIGURES}, path / SUMMARY)
    if checked:
        check_scores(run)
    return run


def check_scores(run: Run) -> None:
    """RunError where the rows are not the file that the run wrote, or give other means than its summary.

    Runs of before there were check sums pass.
    """
    file, recorded = run.path / SCORES, run.summary.get("scores_sha256")
    if recorded is None:
        return
    try:
        found = digest_file(file)
    except OSError as error:
        raise RunError(f"{file}: cannot be read ({error}); {ANEW}") from error
    if recorded != found:
        raise RunError(
            f"{file} is not the file that the run wrote (SHA-256 {found[:8]}, not {str(recorded)[:8]}); {ANEW}"
        )
    counts = {"n": len(run.scores), "errors": int((run.scores["error"] != "").sum())}
    for name, count in counts.items():
        if count != run.summary[name]:
            raise RunError(
                f"{run.path}: its rows give {name} {count}, but its summary says {run.summary[name]}; {ANEW}"
            )
    for key in run.manifest["metrics"]:
        defined = run.column(key)[~np.isnan(run.column(key))]
        mean, said = float(defined.mean()) if defined.size else None, run.summary["metrics"][key]["mean"]
        if not agree(mean, said):
            raise RunError(f"{run.path}: the rows give {key} mean {mean}, but its summary says {said}; {ANEW}")


def agree(one: float | None, other: float | None) -> bool:
    """Whether a stored figure is that of the stored rows: processors round differently."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=AGREEMENT, abs_tol=AGREEMENT)


def _check_record(record: Mapping[str, Any], members: Mapping[str, Any], file: Path, within: str = "") -> None:
    """RunError unless a record has these members, of these types or with these members of their own."""
    for name, wanted in members.items():
        if name not in record:
            raise RunError(f"{file}: {within + ' ' if within else ''}has no {name}; {ANEW}")
        value, inner = record[name], isinstance(wanted, Mapping)
        if inner and wanted and not isinstance(value, dict):
            value = {}  # told of by what it lacks
        if not isinstance(value, dict if inner else wanted) or isinstance(value, bool) or not _finite(value):
            raise RunError(f"{file}: {within and within + '.'}{name} is {_short(value)}; {ANEW}")
        if inner:
            _check_record(value, wanted, file, name)


def _finite(value: Any) -> bool:
    """Whether a number, if it is one, is one that can be worked with."""
    try:
        return not isinstance(value, int | float) or math.isfinite(value)
    except OverflowError:
        return False


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _check_claims(parquet: "pq.ParquetFile", keys: Sequence[str], file: Path) -> None:
    """RunError for columns that no run has, and for more than is read, before any of it is."""
    if (count := parquet.metadata.num_rows) > MOST_ROWS:
        raise RunError(f"{file}: claims {count:,} rows; at most {MOST_ROWS:,} are read")
    groups = (parquet.metadata.row_group(number) for number in range(parquet.metadata.num_row_groups))
    if (claimed := sum(group.total_byte_size for group in groups)) > MOST_BYTES:
        raise RunError(f"{file}: claims {claimed:,} bytes; at most {MOST_BYTES:,} are read")
    strange = set(parquet.schema_arrow.names) - {*TEXTS, *keys}
    if strange:
        raise RunError(f"{file}: has a column {_short(min(strange))}, which no run has; {ANEW}")


def _with_plain_texts(table: "pa.Table", file: Path) -> "pa.Table":
    """A table whose texts are dictionaries, without these. RunError where written out they would be too long."""
    import pyarrow as pa  # noqa: PLC0415 - heavy, and workers do without
    import pyarrow.compute as pc  # noqa: PLC0415

    packed = [pa.types.is_dictionary(column.type) for column in table.columns]
    chunks = [
        chunk for column, is_text in zip(table.columns, packed, strict=True) if is_text for chunk in column.chunks
    ]
    lengths = (pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0 for chunk in chunks)
    if (letters := sum(lengths)) > MOST_BYTES:
        raise RunError(f"{file}: holds {letters:,} bytes of text; at most {MOST_BYTES:,} are read")
    plain = [
        column.cast(pa.string()) if is_text else column for column, is_text in zip(table.columns, packed, strict=True)
    ]
    return pa.table(plain, names=table.column_names)


def _check_columns(table: "pd.DataFrame", keys: Sequence[str], file: Path) -> None:
    """RunError unless a table has stimuli and errors as text, and numbers under these keys."""
    from pandas.api.types import is_numeric_dtype, is_string_dtype  # noqa: PLC0415 - as above

    for name in ["stimulus", *keys, "error"]:
        if list(table.columns).count(name) != 1:
            raise RunError(f"{file}: has no column {name!r}, or two; {ANEW}")
        column = table[name]
        fits = is_numeric_dtype(column) if name in keys else is_string_dtype(column) and not column.hasnans
        if not fits:
            raise RunError(f"{file}: column {name!r} holds {column.dtype}; {ANEW}")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. RunError, naming the file, where it is not one."""
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise RunError(f"{path}: is no file")
        if path.stat().st_size > MOST_JSON:
            raise RunError(f"{path}: has more than {MOST_JSON:,} bytes; no run's record has")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: holds no JSON object")
    return content


def identity(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a run this run: two manifests that agree here give the same scores."""
    return {key: manifest.get(key) for key in IDENTITY}


def differences(stored: Mapping[str, Any], wanted: Mapping[str, Any], within: str = "") -> list[str]:
    """The places where two nested records differ, as text."""
    found: list[str] = []
    for key in sorted(stored.keys() | wanted.keys()):
        old, new, name = stored.get(key), wanted.get(key), f"{within}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{name}.")
        elif old != new:
            found.append(f"{name} is {old!r} there and {new!r} here")
    return found
