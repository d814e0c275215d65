"""Every reader against damaged files, each in a process with bounds on memory and time; as a program, the table of it.

    python tests/hostile/fuzz.py [INPUTS] [READER ...]

A reader may take a damaged file for a whole one, or refuse it by a SalbenchError that names it. Whatever else comes out
is a crash: another exception, a signal, memory or time beyond the bounds. The file is kept then.
"""

import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MEMORY = 2 << 30
"""Bytes that a reader may ask for beyond what its imports take."""
SECONDS, PATIENCE = 20, 900
"""For one file: of computing, and of waiting, which on a machine that others use says little."""
INPUTS = 40
"""Damaged files a reader by default."""
IMPORTED = ("pyarrow.parquet", "scipy.stats", "safetensors.torch", "torchvision.models")
"""What readers would import anew in each of their processes."""
LEAST = 4
"""Damaged files even for a reader of which the table needs few."""


@dataclass
class Count:
    """What became of a reader's files. `crashes`: what happened, and where the file lies that it happened with."""

    reader: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    peak_mib: float = 0.0
    crashes: list[str] = field(default_factory=list)


def fuzz_apart(inputs: int, folder: Path) -> dict[str, Count]:
    """The same as this program, called from within another one: by reader, what became of its files."""
    words = [sys.executable, __file__, str(inputs), "--into", str(folder)]
    environment = {**os.environ, "SALBENCH_CACHE": "", "OMP_NUM_THREADS": "1"}
    subprocess.run(words, env=environment, check=False, stdout=subprocess.DEVNULL)
    counts = (Count(**record) for record in json.loads((folder / "counts.json").read_text()))
    return {count.reader: count for count in counts}


def fuzz_reader(reader: Any, inputs: int, folder: Path) -> Count:
    """Give a reader so many damaged files. Files that it crashes with are kept in the folder."""
    count, done, began = Count(reader.name), 0, time.monotonic()
    wanted = max(min(inputs, LEAST), round(inputs * reader.share))
    while done < wanted:
        scratch = Path(tempfile.mkdtemp(prefix="fuzz-", dir=folder))
        done = _batch(reader, done, wanted, scratch, count)
        shutil.rmtree(scratch)
    count.seconds = time.monotonic() - began
    return count


def _batch(reader: Any, start: int, stop: int, scratch: Path, count: Count) -> int:
    """Files from `start` on in a process of their own, until they are done or it dies; where to go on."""
    child = os.fork()
    if child == 0:
        _in_child(lambda: _work(reader, start, stop, scratch))
    status = os.waitpid(child, 0)[1]  # the child's own alarms see to it that it ends
    lines = (scratch / "log").read_text().splitlines() if (scratch / "log").is_file() else []
    done = start
    for line in lines:
        record = json.loads(line)
        if "begun" in record:
            done = record["begun"] + 1
            continue
        count.inputs += 1
        count.accepted += record["what"] == "accepted"
        count.refused += record["what"] == "refused"
        count.peak_mib = max(count.peak_mib, record["mib"])
        if record["what"] == "crash":
            count.crashes.append(f"{record['text']} [{_kept(scratch, record['number'], reader)}]")
    if status != 0:
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
        said = (scratch / "stderr").read_text()[-600:] if (scratch / "stderr").is_file() else ""
        if done == start:
            raise RuntimeError(f"{reader.name}: cannot be tried: {how}: {said}")
        count.inputs += 1
        count.crashes.append(f"{how} {said} [{_kept(scratch, done - 1, reader)}]")
    return done


def _kept(scratch: Path, number: int, reader: Any) -> Path:
    """Where the file of that number is kept."""
    target = scratch.parent / "crashes" / reader.name.replace(" ", "-") / f"{number}{Path(reader.file).suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    source = scratch / f"kept-{number}"
    shutil.copyfile(source if source.is_file() else scratch / "last", target)
    return target


def _in_child(work: Callable[[], None]) -> None:
    """Do the work in this process and end it; nothing of what the parent holds is run or flushed here."""
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _work(reader: Any, start: int, stop: int, scratch: Path) -> None:
    import mutation

    from salbench.datasets import hdf5_files

    errors = os.open(scratch / "stderr", os.O_WRONLY | os.O_CREAT)
    os.dup2(errors, 2)
    warnings.simplefilter("ignore")
    hdf5_files.SECONDS = 5  # of a hang that is caught there
    data = os.environ.get("SALBENCH_DATA")
    (scratch / "seeds").mkdir()
    seeds = reader.seeds(scratch / "seeds", Path(data) if data else None)
    path = scratch / "read" / reader.file
    path.parent.mkdir(parents=True)
    whole = [_check_whole(reader, seed, path, number) for number, seed in enumerate(seeds)]
    if "accepted" not in whole and not reader.hollow:
        raise AssertionError(f"{reader.name} refuses all its whole files")
    _bound_memory()
    before = _peak()
    with (scratch / "log").open("w") as log:
        for number, mutant in enumerate(mutation.mutants(seeds, start, stop, reader.name), start):
            content = reader.mend(mutant) if reader.mend else mutant
            path.unlink(missing_ok=True)
            path.write_bytes(content)
            (scratch / "last").write_bytes(content)
            _tell(log, {"begun": number})
            what, text = _outcome(reader, path)
            if what == "crash":
                (scratch / f"kept-{number}").write_bytes(content)
            _tell(log, {"what": what, "number": number, "text": text, "mib": _peak() - before})


def _check_whole(reader: Any, seed: bytes, path: Path, number: int) -> str:
    """What becomes of a whole file: some are refused for what they hold, not for how they are written."""
    path.write_bytes(seed)
    what, text = _outcome(reader, path)
    if what == "crash":
        raise AssertionError(f"the whole file {number} for {reader.name}: {text}")
    return what


def _outcome(reader: Any, path: Path) -> tuple[str, str]:
    from salbench.errors import SalbenchError

    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # its default ends the process, also one that hangs in C
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        reader.read(path)
    except SalbenchError as error:
        named = str(path) in str(error) or str(path.parent) in str(error)
        return ("refused", "") if named else ("crash", f"an error that does not name the file: {error}")
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return "crash", f"{type(error).__name__}: {str(error)[:200]} ({frame.filename}:{frame.lineno})"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "accepted", ""


def _bound_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _tell(log: Any, record: dict[str, Any]) -> None:
    log.write(json.dumps(record) + "\n")
    log.flush()


def table(counts: Sequence[Count]) -> str:
    """A line a reader, and their sum."""
    head = f"{'reader':32} {'inputs':>8} {'accepted':>8} {'refused':>8} {'crashes':>8} {'seconds':>8} {'peak MiB':>8}"
    lines = [
        f"{one.reader:32} {one.inputs:8} {one.accepted:8} {one.refused:8} {len(one.crashes):8} "
        f"{one.seconds:8.1f} {one.peak_mib:8.0f}"
        for one in counts
    ]
    sums = [sum(getattr(one, name) for one in counts) for name in ("inputs", "accepted", "refused")]
    crashes = sum(len(one.crashes) for one in counts)
    return "\n".join([head, *lines, f"{'all':32} {sums[0]:8} {sums[1]:8} {sums[2]:8} {crashes:8}"])


def main(arguments: Sequence[str]) -> int:
    from readers import READERS

    words = list(arguments)
    folder = Path(words[words.index("--into") + 1] if "--into" in words else tempfile.mkdtemp(prefix="salbench-fuzz-"))
    if "--into" in words:
        del words[words.index("--into") :]
    inputs = int(words[0]) if words else INPUTS
    os.environ["SALBENCH_CACHE"] = ""
    for name in IMPORTED:
        with contextlib.suppress(ImportError):  # an extra that is not installed
            importlib.import_module(name)
    counts = []
    for reader in READERS:
        if not words[1:] or any(part in reader.name for part in words[1:]):
            counts.append(fuzz_reader(reader, inputs, folder))
            sys.stdout.writelines(f"{reader.name}: {crash}\n" for crash in counts[-1].crashes)
            sys.stdout.flush()
    sys.stdout.write(table(counts) + "\n")
    (folder / "counts.json").write_text(json.dumps([asdict(count) for count in counts]))
    return int(any(one.crashes for one in counts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
