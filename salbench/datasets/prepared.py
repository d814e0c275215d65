"""Fixations of a whole data set in one columnar file, so that thousands of recordings are decoded once.

`.salbench/fixations-KEY.arrow` in the data set's folder: an Arrow file that every process maps, with a row per fixation
in the order of recording, and the stimuli's first and last rows in its metadata. It tells what the folder held when it
was made; where that has changed, or the file is damaged, it is as if it were not there.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from salbench.atomic import remove_scratch, replacing
from salbench.datasets.dataset import Dataset
from salbench.datasets.stimulus import Fixations, LazyStimuli, Stimulus
from salbench.errors import DataError
from salbench.locks import held
from salbench.progress import Progress, Silent

FORMAT = 2
FOLDER = ".salbench"


@dataclass(frozen=True)
class Prepared:
    """A prepared file. `ends`: by stimulus id, the first row of its fixations and the one after the last."""

    path: Path
    spans: dict[str, tuple[int, int]]


def prepare(dataset: Dataset, root: Path, progress: Progress | None = None) -> tuple[Path, int, list[str]]:
    """Decode every recording of a data set into its prepared file; the path, how many fixations, and what was lost.

    A recording that cannot be read is not in the file: it is read, and fails, as without one. RunError where another
    process prepares the data set.
    """
    path = _path(root, dataset.key)
    with held(path.parent, "prepares data in"):
        remove_scratch(path)
        return (path, *_write(dataset, root, path, progress))


def _write(dataset: Dataset, root: Path, path: Path, progress: Progress | None) -> tuple[int, list[str]]:
    import pyarrow as pa  # noqa: PLC0415 - heavy, and for this alone

    listener = progress or Silent()
    spans, lost, parts, count = {}, [], [], 0
    for stimulus in _each_once(dataset, listener):
        try:
            recorded = stimulus.recorded_fixations()
        except DataError as error:
            lost.append(f"{stimulus.id}: {error}")
            continue
        spans[stimulus.id] = (count, count + len(recorded))
        count += len(recorded)
        parts.append(recorded)
    every = Fixations.joined(parts)
    table = pa.table(
        {"x": every.x, "y": every.y, "viewer": pa.array(every.viewer.astype(str).tolist()).dictionary_encode()}
    )
    about = {"format": FORMAT, "dataset": dataset.key, "folder": fingerprint(root), "spans": spans}
    schema = table.schema.with_metadata({"salbench": json.dumps(about)})
    with replacing(path) as scratch, pa.OSFile(str(scratch), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(table.cast(schema))
    return count, lost


def _each_once(dataset: Dataset, progress: Progress) -> Iterator[Stimulus]:
    """The stimuli of all splits that have recordings, each once."""
    seen: set[str] = set()
    for split in dataset.splits:
        stimuli = dataset.splits[split]()  # as recorded: rules come after
        progress.start(f"decoding {dataset.key}/{split}", len(stimuli))
        for stimulus in stimuli:
            progress.advance()
            if stimulus.id not in seen and stimulus.fixation_source is not None:
                seen.add(stimulus.id)
                yield stimulus
        progress.finish()


def with_prepared(dataset: Dataset, root: Path) -> Dataset:
    """The data set with fixations from its prepared file where there is one that fits; else itself."""
    path = _path(root, dataset.key)
    if not path.is_file():
        return dataset
    found = _open(path, path.stat().st_mtime_ns)
    if found is None or found[1] != {"format": FORMAT, "dataset": dataset.key, "folder": fingerprint(root)}:
        return dataset
    splits = {name: partial(_split, listed, path) for name, listed in dataset.splits.items()}
    return replace(dataset, splits=splits)


def _split(listed: Callable[[], Sequence[Stimulus]], path: Path) -> Sequence[Stimulus]:
    stimuli = listed()
    return LazyStimuli(len(stimuli), partial(_at, stimuli, path))


def _at(stimuli: Sequence[Stimulus], path: Path, place: int) -> Stimulus:
    stimulus = stimuli[place]
    if stimulus.fixation_source is None:
        return stimulus
    return replace(stimulus, fixation_source=partial(_fixations, path, stimulus.id, stimulus.fixation_source))


def _fixations(path: Path, name: str, otherwise: Callable[[], Fixations]) -> Fixations:
    """A stimulus's fixations; read from its own recording where the file is gone, or has none of it."""
    opened = _open(path, path.stat().st_mtime_ns) if path.is_file() else None
    if opened is None or name not in opened[0].spans:
        return otherwise()
    start, stop = opened[0].spans[name]
    rows = opened[2].slice(start, stop - start)
    viewers = np.asarray(rows.column("viewer").to_pylist(), dtype=str)
    return Fixations(rows.column("x").to_numpy(), rows.column("y").to_numpy(), viewers)


@lru_cache(maxsize=4)
def _open(path: Path, modified: int) -> tuple[Prepared, dict[str, Any], Any] | None:
    """A prepared file, what it says of itself, and its mapped table; None where it is damaged."""
    import pyarrow as pa  # noqa: PLC0415 - heavy, and for this alone

    del modified  # part of the cache's key: a file that changed is read again
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        about = json.loads(table.schema.metadata[b"salbench"])
        spans = {str(name): (int(start), int(stop)) for name, (start, stop) in about.pop("spans").items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
        return None
    if any(not 0 <= start <= stop <= table.num_rows for start, stop in spans.values()):
        return None
    return Prepared(path, spans), about, table


def fingerprint(root: Path) -> str:
    """SHA-256 over names, sizes and times of all files of a folder; hidden ones are passed over.

    Of a link that leads nowhere, and of a file that vanishes meanwhile, only the name counts.
    """
    whole = hashlib.sha256()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                place = Path(folder, name).relative_to(root).as_posix()
                try:
                    state = Path(folder, name).stat()
                    text = f"{place}\0{state.st_size}\0{state.st_mtime_ns}\n"
                except OSError:
                    text = f"{place}\n"
                whole.update(text.encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _path(root: Path, key: str) -> Path:
    return root / FOLDER / f"fixations-{key}.arrow"
