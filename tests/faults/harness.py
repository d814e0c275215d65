"""Faults as they happen, done to real processes; as a program, the table of what they cost.

    python tests/faults/harness.py [TIMES] [FAULT ...]

After each fault the same command is given again. What it leaves has to be what an undisturbed run leaves, bit for bit,
with no file more and none less; both in its output and in the folder for temporary files. A trial whose fault came too
late, or met nothing, is made again at another moment: each that is counted did its harm.
"""

import atexit
import csv
import hashlib
import importlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
STIMULI = 20
"""Three chunks: two workers, one of which gets a second."""
TIMES = 2
"""Of each fault by default."""
PAGE = 4096
PATIENCE = 1200
"""Seconds for one command, on a machine that others use."""
BACK = 400 * 24 * 3600.0
"""Seconds by which the clock is set back: further than anything is kept."""
MOMENTS = 6
"""At which a trial is made until its fault strikes, each nearer to the beginning."""
SECONDS_OF_EPOCHS = ("seconds", "images_per_second")
"""Columns of epochs.csv in which no two trainings agree."""
WITHOUT_COST = ("created", "command", "timeout")
"""What two runs that give the same scores need not have in common in their record."""


@dataclass
class Outcome:
    """What became of a fault's trials. `struck`: how many did their harm. `failures`: what was not as it should be."""

    fault: str
    tried: int = 0
    struck: int = 0
    identical: int = 0
    seconds: float = 0.0
    skipped: str = ""
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Command:
    """A command of salbench: its words, and the folder of its output, of the place that it is given."""

    name: str
    words: Callable[[Path], list[str]]
    out: Callable[[Path], Path]

    def at(self, place: Path) -> "Command":
        """The same command on one place, whichever it is given."""
        return Command(self.name, lambda _: self.words(place), lambda _: self.out(place))


@dataclass(frozen=True)
class Ended:
    """A process that ended: its code, negative for a signal, and what it said."""

    code: int
    said: str


class Bench:
    """Inputs, commands, and what undisturbed runs of them leave."""

    def __init__(self, folder: Path) -> None:
        sys.path.insert(0, str(HERE.parent / "scoring"))
        from small_sets import make_maps, make_set

        self.folder, self.number = folder, 0
        self.data, self.few = make_set(folder / "set", STIMULI), make_set(folder / "few", 3)
        self.maps = make_maps(folder / "maps", STIMULI)
        self.kept: dict[str, Any] = {}
        self.commands = {
            "score": Command("score", self._score, lambda place: place / "run"),
            "train": Command("train", self._train, lambda place: place / "run"),
            "data prepare": Command("data prepare", self._prepare, lambda place: place / "set" / ".salbench"),
            "leaderboard add": Command("leaderboard add", self._add, lambda place: place / "board"),
        }

    def _score(self, place: Path) -> list[str]:
        words = ["score", "--dataset", self.data, "--predictions", self.maps, "--metrics", "nss,cc,auc_borji"]
        return [*map(str, words), "--save-maps", "--jobs", "2", "--out", str(place / "run")]

    def _train(self, place: Path) -> list[str]:
        options = "--vgg-weights none --size 32x32 --epochs 2 --adversarial-epochs 0 --batch 2 --samples 0 --jobs 1"
        words = ["train", "salgan", "--dataset", str(self.few), *options.split(), "--no-tensorboard", "--device", "cpu"]
        return [*words, "--out", str(place / "run")]

    def _prepare(self, place: Path) -> list[str]:
        if not (place / "set").exists():
            shutil.copytree(self.data, place / "set")  # with the times of its files, which are part of what is prepared
        return ["data", "prepare", "--dataset", str(place / "set")]

    def _add(self, place: Path) -> list[str]:
        return ["leaderboard", "add", str(self.run()), "--board", str(place / "board"), "--name", "entry"]

    def run(self) -> Path:
        """A finished run."""
        if "run" not in self.kept:
            place = self.place()
            self.checked(self.commands["score"], place)
            self.kept["run"] = place / "run"
        found: Path = self.kept["run"]
        return found

    def place(self) -> Path:
        """A new folder, with one for temporary files."""
        self.number += 1
        place = self.folder / f"trial{self.number}"
        (place / "tmp").mkdir(parents=True)
        return place

    def start(self, command: Command, place: Path, fault: dict[str, Any] | None = None, **options: Any) -> int:
        """A process that carries a command out, as a fork of this one, which has imported all; its id."""
        words = [*command.words(place), *options.get("more", [])]
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _be_the_command(words, place, self.folder / "cache", fault or {}, options.get("bytes_at_most"))
        return child

    def wait(self, child: int, place: Path) -> Ended:
        """The end of such a process."""
        deadline = time.monotonic() + PATIENCE
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.005)
        return Ended(os.waitstatus_to_exitcode(status), (place / f"said{child}").read_text(errors="replace"))

    def ended(self, command: Command, place: Path, fault: dict[str, Any] | None = None, **options: Any) -> Ended:
        """A command carried out, with a fault or a limit."""
        return self.wait(self.start(command, place, fault, **options), place)

    def checked(self, command: Command, place: Path) -> None:
        """A command carried out that has to end well."""
        end = self.ended(command, place)
        if end.code != 0:
            raise AssertionError(f"the same command again ends with {end.code}: {end.said[-300:]}")

    def undisturbed(self, command: Command) -> dict[str, str]:
        """What an undisturbed run leaves; how long it took and how many events it had are kept, too."""
        if command.name not in self.kept:
            place = self.place()
            command.words(place)  # what it needs is made before the clock starts
            began = time.monotonic()
            log = place / "log"
            end = self.ended(command, place, {"below": str(command.out(place)), "role": "", "at": 0, "log": str(log)})
            if end.code != 0:
                raise RuntimeError(f"{command.name} cannot be tried: {end.said}")
            events = log.read_text()
            self.kept[command.name, "seconds"] = time.monotonic() - began
            self.kept |= {(command.name, role): events.count(role[0]) for role in ("driver", "worker")}
            self.kept[command.name] = left_in(command.out(place))
            sizes = [path.stat().st_size for path in command.out(place).rglob("*") if path.is_file()]
            self.kept |= {(command.name, "largest"): max(sizes), (command.name, "pages"): sum(map(in_pages, sizes))}
            shutil.rmtree(place)
        found: dict[str, str] = self.kept[command.name]
        return found

    def again(self, command: Command, place: Path) -> None:
        """Give the same command again. AssertionError unless it leaves what an undisturbed run leaves."""
        self.checked(command, place)
        different = differences(left_in(command.out(place)), self.undisturbed(command))
        if different is not None:
            raise AssertionError(different)
        if temporary := sorted(path.name for path in (place / "tmp").iterdir()):
            raise AssertionError(f"left over among temporary files: {', '.join(temporary[:3])}")
        shutil.rmtree(place, ignore_errors=True)  # what failed is kept to be looked at


def _be_the_command(
    words: list[str], place: Path, cache: Path, fault: dict[str, Any], bytes_at_most: int | None
) -> Any:
    """The rest of a fork's life."""
    code = 1
    try:
        said = os.open(place / f"said{os.getpid()}", os.O_WRONLY | os.O_CREAT)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.argv = ["salbench", *words]
        tempfile.tempdir = None
        path = os.pathsep.join([str(HERE / "site"), os.environ.get("PYTHONPATH", "")])
        changes = {"TMPDIR": str(place / "tmp"), "SALBENCH_CACHE": str(cache), "PYTHONPATH": path}
        os.environ |= changes | {"SALBENCH_FAULT": json.dumps(fault), "OMP_NUM_THREADS": "1"}
        if bytes_at_most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_at_most, resource.RLIM_INFINITY))
        sys.path.insert(0, str(HERE / "site"))
        sys.modules.pop("sitecustomize", None)  # the system's own
        importlib.import_module("sitecustomize")
        from salbench.cli import main

        code = main(words)
        atexit._run_exitfuncs()  # an interpreter's end, of which nothing reaches the parent
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def in_pages(size: int) -> int:
    """The bytes that a file takes on a disk."""
    return -(-size // PAGE) * PAGE


def differences(found: dict[str, str], wanted: dict[str, str]) -> str | None:
    """In what the files of two folders differ, None where in nothing."""
    kinds = {
        "left over": found.keys() - wanted.keys(),
        "lost": wanted.keys() - found.keys(),
        "differs": {name for name, digest in wanted.items() if found.get(name, digest) != digest},
    }
    return next((f"{kind}: {', '.join(sorted(names)[:3])}" for kind, names in kinds.items() if names), None)


def left_in(folder: Path) -> dict[str, str]:
    """Every file of a folder with a check sum of what two equal runs have in common."""
    return {str(path.relative_to(folder)): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _digest(path: Path) -> str:
    content = path.read_bytes()
    if path.name == "run.json":
        record = json.loads(content)
        content = json.dumps({name: value for name, value in record.items() if name not in WITHOUT_COST}).encode()
    elif path.name == "epochs.csv":
        rows = csv.DictReader(content.decode().splitlines())
        content = json.dumps([{k: v for k, v in row.items() if k not in SECONDS_OF_EPOCHS} for row in rows]).encode()
    elif path.name == "state.pt":
        return ""  # it tells of seconds; the weights that come of it are in the checkpoints
    return hashlib.sha256(content).hexdigest()


def drawing(seed: str) -> random.Random:
    """Random numbers, the same in every run."""
    return random.Random(seed)  # noqa: S311 - nothing is kept secret by them


def moments(bench: Bench, command: Command, times: int, role: str = "driver") -> Iterator[tuple[int, float]]:
    """So many moments spread over an undisturbed run, each drawn from its share: events, every second one a time.

    An event's number and 0, or 0 and seconds. Workers are known by events alone.
    """
    bench.undisturbed(command)
    rng = drawing(f"{command.name} {role}")
    for number in range(times):
        share = (number + rng.random()) / times
        if number % 2 and role == "driver":
            yield 0, share * bench.kept[command.name, "seconds"]
        else:
            events = bench.kept[command.name, role] // (2 if role == "worker" else 1)
            yield 1 + int(share * max(1, events - 1)), 0.0


Trial = Callable[[Bench, int], Iterator[Callable[[], bool]]]
"""Each that is yielded tries a fault once: whether it struck. AssertionError where what comes of it is not right."""


def killed(name: str, role: str) -> Trial:
    """kill -9 of the driver, or of one of its workers, whenever."""

    def trials(bench: Bench, times: int) -> Iterator[Callable[[], bool]]:
        command = bench.commands[name]
        for event, seconds in moments(bench, command, times, role):

            def trial(event: int = event, seconds: float = seconds) -> bool:
                for nearer in range(MOMENTS):
                    if killed_once(
                        bench, command, role, -(-event * (MOMENTS - nearer) // MOMENTS), seconds / 2**nearer
                    ):
                        return True
                return False

            yield trial

    return trials


def killed_once(bench: Bench, command: Command, role: str, event: int, seconds: float) -> bool:
    """A command killed at an event, or after some seconds, and given again; whether it was killed."""
    place = bench.place()
    fault = {"below": str(command.out(place)), "role": role, "at": event, "what": "kill"}
    fault["once"] = str(place / "once")
    child = bench.start(command, place, fault if event else None)
    if seconds:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    end = bench.wait(child, place)
    if end.code not in (0, -signal.SIGKILL):
        raise AssertionError(f"ends with {end.code}: {end.said[-300:]}")
    struck = end.code == -signal.SIGKILL or (place / "once").exists()
    bench.again(command, place)
    return struck


def full_by_limit(name: str) -> Trial:
    """Files that may not grow beyond some bytes, fewer than the largest takes, as with a quota."""

    def trials(bench: Bench, times: int) -> Iterator[Callable[[], bool]]:
        for number in range(times):

            def trial(number: int = number) -> bool:
                place = bench.place()
                command = bench.commands[name]
                bench.undisturbed(command)
                largest = bench.kept[name, "largest"]
                end = bench.ended(command, place, bytes_at_most=largest * (number + 1) // (times + 1))
                _told(end, "File too large")
                bench.again(command, place)
                return end.code != 0

            yield trial

    return trials


def full_disk(name: str) -> Trial:
    """A file system with less room than the result takes."""

    def trials(bench: Bench, times: int) -> Iterator[Callable[[], bool]]:
        for number in range(times):

            def trial(number: int = number) -> bool:
                place = bench.place()
                bench.undisturbed(bench.commands[name])
                with mounted(place / "disk") as disk:
                    command = bench.commands[name].at(disk)
                    command.words(place)
                    _fill(disk / "filler", bench.kept[name, "pages"] * number // times)
                    end = bench.ended(command, place)
                    _told(end, "No space left")
                    (disk / "filler").unlink()
                    bench.again(command, place)
                return end.code != 0

            yield trial

    return trials


def read_only(name: str) -> Trial:
    """A file system that is read-only until it is mended."""

    def trials(bench: Bench, times: int) -> Iterator[Callable[[], bool]]:
        del times

        def trial() -> bool:
            place = bench.place()
            with mounted(place / "disk") as disk:
                command = bench.commands[name].at(disk)
                command.words(place)
                _mount("-o", "remount,ro", str(disk))
                end = bench.ended(command, place)
                _mount("-o", "remount,rw", str(disk))
                if end.code == 0:
                    raise AssertionError("ends well where nothing can be written")
                _told(end, "Read-only file system")
                bench.again(command, place)
            return True

        yield trial

    return trials


def two_at_once(name: str, refused: str) -> Trial:
    """The same command twice at a time: one does the work, the other is refused or finds it done."""

    def trials(bench: Bench, times: int) -> Iterator[Callable[[], bool]]:
        command = bench.commands[name]
        rng = drawing(name)
        for _ in range(times):

            def trial(pause: float = rng.random()) -> bool:
                bench.undisturbed(command)
                seconds = pause * bench.kept[command.name, "seconds"] / 2
                return any(both_once(bench, command, seconds / 2**nearer, refused) for nearer in range(MOMENTS))

            yield trial

    return trials


def both_once(bench: Bench, command: Command, pause: float, refused: str) -> bool:
    """A command, and the same one a little later; whether they were at it at the same time."""
    place = bench.place()
    command.words(place)
    first = bench.start(command, place)
    time.sleep(pause)
    together = os.waitid(os.P_PID, first, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    second = bench.start(command, place)
    ends = [bench.wait(child, place) for child in (first, second)]
    if not any(end.code == 0 for end in ends):
        raise AssertionError(f"neither ends well: {ends}")
    for end in ends:
        if end.code != 0:
            _told(end, refused)
    bench.again(command, place)
    return together


def clock_set_back(bench: Bench, times: int) -> Iterator[Callable[[], bool]]:
    """A run that is killed, and goes on more than a year before it began."""
    command = bench.commands["score"]
    bench.undisturbed(command)
    events = bench.kept[command.name, "driver"]
    for number in range(times):

        def trial(event: int = 1 + (number + 1) * events // (times + 1)) -> bool:
            place = bench.place()
            fault = {"below": str(command.out(place)), "role": "driver", "at": event, "what": "kill"}
            begun = bench.ended(command, place, fault)
            end = bench.ended(command, place, {"clock": BACK})
            if end.code != 0:
                raise AssertionError(f"ends with {end.code}: {end.said[-300:]}")
            bench.again(command, place)
            return begun.code == -signal.SIGKILL

        yield trial


def deadly_stimulus(what: str, told: str, *more: str) -> Trial:
    """A stimulus that always hangs, kills its worker or exhausts its memory; the day after it does not."""

    def trials(bench: Bench, times: int) -> Iterator[Callable[[], bool]]:
        rng = drawing(what)
        for number in rng.sample(range(STIMULI), min(times, STIMULI)):

            def trial(number: int = number) -> bool:
                place = bench.place()
                command = bench.commands["score"]
                fault = {"below": str(bench.maps), "role": "worker", "name": f"/s{number}.png", "at": -1, "what": what}
                end = bench.ended(command, place, fault, more=more)
                if end.code != 1 or f"stimulus s{number}: " not in end.said or told not in end.said:
                    raise AssertionError(f"ends with {end.code}: {end.said[-300:]}")
                _one_error(place / "run", f"s{number}")
                bench.again(command, place)
                return True

            yield trial

    return trials


def damaged_rows(bench: Bench, times: int) -> Iterator[Callable[[], bool]]:
    """A run that is killed, whose stored rows are cut, overwritten and changed afterwards."""
    command = bench.commands["score"]
    bench.undisturbed(command)
    rng = drawing("damaged")
    for number in range(times):

        def trial(number: int = number) -> bool:
            place = bench.place()
            fault = {"below": str(place / "run"), "role": "driver", "name": "/scores.parquet", "at": 1, "what": "kill"}
            bench.ended(command, place, fault)
            shards = sorted((place / "run" / "shards").glob("*.jsonl"))
            if not shards:
                raise AssertionError("no rows were stored before the kill")
            for shard in shards:
                content = bytearray(shard.read_bytes())
                at = rng.randrange(len(content))
                if number % 3 == 0:
                    del content[at:]
                elif number % 3 == 1:
                    content[at] ^= 1 << rng.randrange(8)
                else:
                    content[at:] = bytes(len(content) - at)
                shard.write_bytes(content)
            bench.again(command, place)
            return True

        yield trial


def _one_error(run: Path, name: str) -> None:
    """AssertionError unless this stimulus alone has no scores."""
    import pandas as pd

    scores = pd.read_parquet(run / "scores.parquet")
    failed = scores["stimulus"][scores["error"] != ""].tolist()
    if failed != [name] or len(scores) != STIMULI:
        raise AssertionError(f"{failed} of {len(scores)} have no scores, instead of {name} alone")


def _told(end: Ended, text: str) -> None:
    """AssertionError unless a command ended with an error of one line that says so, or did not notice."""
    if end.code == 0:
        return
    if end.code != 1 or text not in end.said or "Traceback" in end.said:
        raise AssertionError(f"ends with {end.code}: {end.said[-400:]}")


def _fill(file: Path, room: int) -> None:
    """Leave so many bytes of a file system."""
    with file.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(1 << 16))
        except OSError:
            filler.truncate(max(0, filler.tell() - room))


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A small file system of its own. SkippedError where this process may not mount one."""
    folder.mkdir()
    if os.geteuid() != 0 or _mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)) != 0:
        raise SkippedError("no right to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _mount(*words: str) -> int:
    if shutil.which("mount") is None:
        return 1
    return subprocess.run(["mount", *words], check=False, capture_output=True).returncode


class SkippedError(Exception):
    """A fault that cannot be done here."""


IMPORTED = ("pyarrow.parquet", "pandas", "scipy.stats", "salbench.cli", "salbench.scoring.runner")
TORCH = ("salbench_models.salgan.training",)
SECONDS = "10"
LATE = f"took longer than {SECONDS} seconds, the --timeout"
FAULTS: dict[str, tuple[Trial, float]] = {
    "score: driver killed": (killed("score", "driver"), 1),
    "score: worker killed": (killed("score", "worker"), 1),
    "data prepare: killed": (killed("data prepare", "driver"), 1),
    "leaderboard add: killed": (killed("leaderboard add", "driver"), 1),
    "train: killed": (killed("train", "driver"), 1),
    "score: files may not grow": (full_by_limit("score"), 0.5),
    "data prepare: files may not grow": (full_by_limit("data prepare"), 0.5),
    "leaderboard add: files may not grow": (full_by_limit("leaderboard add"), 0.5),
    "score: disk full": (full_disk("score"), 0.5),
    "data prepare: disk full": (full_disk("data prepare"), 0.5),
    "leaderboard add: disk full": (full_disk("leaderboard add"), 0.5),
    "score: disk read-only": (read_only("score"), 0.5),
    "data prepare: disk read-only": (read_only("data prepare"), 0.5),
    "leaderboard add: disk read-only": (read_only("leaderboard add"), 0.5),
    "score: two at once": (two_at_once("score", "another process writes into"), 0.5),
    "data prepare: two at once": (two_at_once("data prepare", "another process prepares data in"), 0.5),
    "leaderboard add: two at once": (two_at_once("leaderboard add", "another process writes into"), 0.5),
    "score: clock set back": (clock_set_back, 0.5),
    "score: a stimulus hangs": (deadly_stimulus("hang", LATE, "--timeout", SECONDS), 0.5),
    "score: a stimulus kills its worker": (deadly_stimulus("kill", "its worker process died twice"), 0.5),
    "score: a stimulus exhausts memory": (deadly_stimulus("exhaust", "too large for this machine's memory"), 0.5),
    "score: stored rows damaged": (damaged_rows, 0.5),
}
"""By name how it is done, and how many times for one that is asked for."""
QUICK = (
    "score: driver killed",
    "data prepare: killed",
    "leaderboard add: killed",
    "score: disk full",
    "data prepare: files may not grow",
    "leaderboard add: disk read-only",
    "score: two at once",
    "score: a stimulus kills its worker",
)
"""What is tried by default: of each command and of each kind of fault something."""


def try_out(name: str, bench: Bench, times: int) -> Outcome:
    """Do a fault so many times, and count."""
    trial_of, share = FAULTS[name]
    outcome, began = Outcome(name), time.monotonic()
    for trial in trial_of(bench, max(1, round(times * share))):
        try:
            outcome.struck += trial()
            outcome.identical += 1
        except SkippedError as error:
            outcome.skipped = str(error)
            break
        except AssertionError as error:
            outcome.failures.append(str(error))
        outcome.tried += 1
    if outcome.identical > outcome.struck:
        outcome.failures.append(f"{outcome.identical - outcome.struck} trials did no harm")
    outcome.seconds = time.monotonic() - began
    return outcome


def table(outcomes: Sequence[Outcome]) -> str:
    """A line a fault."""
    lines = [f"{'fault':40} {'tried':>6} {'struck':>7} {'identical':>10} {'seconds':>8}  result"]
    for one in outcomes:
        result = f"skipped: {one.skipped}" if one.skipped else (one.failures or ["identical, nothing left over"])[0]
        figures = f"{one.tried:6} {one.struck:7} {one.identical:10} {one.seconds:8.0f}"
        lines.append(f"{one.fault:40} {figures}  {result}")
    return "\n".join(lines)


def apart(times: int, folder: Path, names: Sequence[str]) -> dict[str, Outcome]:
    """The same as this program, called from within another one: by fault, what became of it."""
    words = [sys.executable, __file__, str(times), *names, "--into", str(folder)]
    subprocess.run(words, check=False, stdout=subprocess.DEVNULL)
    return {record["fault"]: Outcome(**record) for record in json.loads((folder / "outcomes.json").read_text())}


def main(arguments: Sequence[str]) -> int:
    words = list(arguments)
    if "--into" not in words:
        words += ["--into", tempfile.mkdtemp(prefix="faults-")]
    folder = Path(words[words.index("--into") + 1])
    del words[words.index("--into") :]
    times = int(words[0]) if words else TIMES
    chosen = [name for name in FAULTS if not words[1:] or any(part in name for part in words[1:])]
    for name in IMPORTED + (TORCH if any(name.startswith("train") for name in chosen) else ()):
        importlib.import_module(name)  # once, not in every command
    bench, outcomes = Bench(folder), []
    for name in chosen:
        outcomes.append(try_out(name, bench, times))
        sys.stdout.write(table(outcomes[-1:]).splitlines()[1] + "\n")
        sys.stdout.writelines(f"    {failure}\n" for failure in outcomes[-1].failures[1:])
        sys.stdout.flush()
    sys.stdout.write("\n" + table(outcomes) + "\n")
    (folder / "outcomes.json").write_text(json.dumps([asdict(one) for one in outcomes]))
    return int(any(one.failures for one in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
