"""A Dask cluster of real processes: the same scores as here, whatever is lost on the way."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from distributed import Client
from slow_model import SlowModel
from small_sets import make_maps, make_set

from salbench.cli import main
from salbench.errors import DataError, RunError, UsageError
from salbench.places import FolderPlace
from salbench.prediction import predict
from salbench.progress import Silent
from salbench.scoring import cluster as cluster_module
from salbench.scoring.cluster import Ticket
from salbench.scoring.runner import score
from salbench.scoring.workers import as_finished

COUNT = 40
"""Stimuli: five chunks."""
PYTHONPATH = [str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]


class Processes:
    """A scheduler and workers, each a process with a folder and a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        record = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", record
        )
        wait_until(lambda: record.is_file() and record.stat().st_size)
        self.address = json.loads(record.read_text())["address"]

    def worker(self, threads: int = 1) -> subprocess.Popen[bytes]:
        options = ("--nthreads", threads, "--no-nanny", "--no-dashboard", "--death-timeout", 60)
        return self._start("worker", self.address, *options)

    def wait_for(self, workers: int) -> None:
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)

    def _start(self, kind: str, *arguments: object) -> subprocess.Popen[bytes]:
        place = self.folder / f"{kind}{len(self.started)}"
        place.mkdir()
        environment = {**os.environ, "SALBENCH_CACHE": str(place / "cache"), "PYTHONPATH": os.pathsep.join(PYTHONPATH)}
        words = [sys.executable, "-m", "dask", kind, *map(str, arguments)]
        log = (place / "log").open("wb")
        with log:
            process = subprocess.Popen(words, cwd=place, env=environment, stdout=log, stderr=log)
        self.started.append(process)
        return process

    def end(self) -> None:
        for process in reversed(self.started):
            process.kill()
            process.wait()


def wait_until(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def processes(tmp_path_factory) -> Iterator[Processes]:
    """A scheduler with two workers, one of them with more threads than one works on."""
    started = Processes(tmp_path_factory.mktemp("cluster"))
    try:
        started.worker()
        started.worker(threads=2)
        started.wait_for(2)
        yield started
    finally:
        started.end()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_set(tmp_path_factory.mktemp("data") / "set", COUNT)


@pytest.fixture(scope="module")
def maps(tmp_path_factory) -> Path:
    """A map per stimulus, but for one that is damaged and one that is missing."""
    folder = make_maps(tmp_path_factory.mktemp("maps") / "maps", COUNT)
    (folder / "s3.png").write_text("no picture")
    (folder / "s5.png").unlink()
    return folder


@pytest.fixture(scope="module")
def rows(data, maps, tmp_path_factory) -> bytes:
    """The scores of a run on this machine."""
    return (
        score(data, predictions=maps, out=tmp_path_factory.mktemp("here") / "run")
        .path.joinpath("scores.parquet")
        .read_bytes()
    )


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob(".*"))


def test_scores_and_errors_are_bit_identical_to_those_of_this_machine(
    processes, data, maps, rows, tmp_path, monkeypatch, capsys
):
    """Catches what does not travel: names relative to the driver's folder, its cache, its fixated pixels."""
    home = data.parents[1]
    monkeypatch.chdir(home)
    given = ["--dataset", data.relative_to(home), "--predictions", maps.relative_to(home), "--out", tmp_path / "run"]
    here = score(data.relative_to(home), predictions=maps.relative_to(home), out=tmp_path / "here")
    code = main([str(word) for word in ("score", *given, "--executor", "dask", "--scheduler", processes.address)])
    told = capsys.readouterr().err
    assert code == 1, told
    assert "--nthreads 1" in told
    there = (tmp_path / "run/scores.parquet").read_bytes()
    assert there == (here.path / "scores.parquet").read_bytes()
    assert len(here.scores) == COUNT
    assert here.errors == 2
    assert not leftovers(tmp_path / "run")
    assert (tmp_path / "run/summary.json").read_bytes() == (tmp_path / "here/summary.json").read_bytes()
    assert list(processes.folder.glob("worker*/cache/*/*.pixels")), "the workers' own caches hold the fixated pixels"


@pytest.mark.parametrize("protocol", ["salicon2015", "tuebingen"])
def test_every_protocol_scores_there_as_here(processes, data, maps, tmp_path, protocol):
    """Catches a protocol's second file of fixated pixels, of those that it counts, which stays behind."""
    there = {"executor": "dask", "scheduler": processes.address}
    runs = [
        score(data, predictions=maps, protocol=protocol, out=tmp_path / str(len(given)), **given)
        for given in ({}, there)
    ]
    assert (runs[0].path / "scores.parquet").read_bytes() == (runs[1].path / "scores.parquet").read_bytes()
    assert runs[0].errors == 2


def test_a_chunk_whose_worker_is_killed_is_done_again(processes, data, tmp_path):
    """Catches stimuli that are lost with their worker, and models that are loaded for every chunk."""
    victim = processes.worker()
    processes.wait_for(3)
    log = tmp_path / "log"
    log.touch()

    def kill() -> None:
        wait_until(lambda: f"{victim.pid} predicts" in log.read_text())
        victim.send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    there = score(
        data, model=SlowModel(log), out=tmp_path / "there", executor="dask", scheduler=processes.address, save_maps=True
    )
    killer.join()
    assert victim.wait(timeout=30) == -signal.SIGKILL
    words = [line.split() for line in log.read_text().splitlines()]
    here = score(data, model=SlowModel(tmp_path / "other"), out=tmp_path / "here")
    assert (there.path / "scores.parquet").read_bytes() == (here.path / "scores.parquet").read_bytes()
    assert there.errors == 0
    assert len(list((there.path / "maps").iterdir())) == COUNT
    begun = [name for _, what, name in words if what == "predicts"]
    assert len(begun) > len(set(begun)) == COUNT, "what the victim had begun was done by another"
    loads = [pid for pid, what, _ in words if what == "loads"]
    assert len(loads) == len(set(loads)) == 3


class AfterAChunk(Silent):
    """Does something when the first chunk is finished."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.action, self.scoring = action, False

    def start(self, description: str, total: int, done: int = 0) -> None:
        self.scoring = description == "scoring"

    def advance(self, steps: int = 1, **figures: float) -> None:
        if self.scoring:
            self.action()


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("first", "then"), [("dask", "local"), ("local", "dask"), ("dask", "dask")])
def test_an_interrupted_run_goes_on_here_or_there(processes, data, maps, rows, tmp_path, first, then):
    """Catches shards that only the executor which wrote them can use, workers that still take the run for cancelled,
    and what an interrupt leaves behind.
    """
    before, after = (
        {"executor": "dask", "scheduler": processes.address} if executor == "dask" else {} for executor in (first, then)
    )
    with pytest.raises(KeyboardInterrupt):
        score(data, predictions=maps, out=tmp_path / "run", progress=AfterAChunk(interrupt), **before)
    stored = len(list((tmp_path / "run/shards").glob("*.jsonl")))
    assert stored >= 1
    assert not leftovers(tmp_path / "run")
    time.sleep(0.2)
    assert len(list((tmp_path / "run/shards").glob("*.jsonl"))) == stored, "no worker writes after the driver is gone"
    score(data, predictions=maps, out=tmp_path / "run", **after)
    assert (tmp_path / "run/scores.parquet").read_bytes() == rows


def test_rows_can_pass_through_a_server_instead_of_the_run_folder(processes, data, maps, rows, tmp_path, ftp, capsys):
    """Catches anything that a worker still writes into the run folder, or that stays on the server; one whose workers
    were lost goes on here, without being told where its rows are.
    """
    there = {"executor": "dask", "scheduler": processes.address}
    with pytest.raises(KeyboardInterrupt):
        score(data, predictions=maps, out=tmp_path / "run", progress=AfterAChunk(interrupt), shards=ftp.url, **there)
    assert not (tmp_path / "run/shards").exists()
    (own,) = ftp.folder.iterdir()
    stored = [path.name for path in own.iterdir()]
    assert stored
    assert all(name.endswith(".jsonl") for name in stored)
    assert main(["doctor", "--shards", str(tmp_path / "run")]) == 1
    assert f"of {COUNT} rows are missing" in capsys.readouterr().out
    score(data, predictions=maps, out=tmp_path / "run")
    assert (tmp_path / "run/scores.parquet").read_bytes() == rows
    words = ["--dataset", data, "--predictions", maps, "--out", tmp_path / "again", "--shards", ftp.url]
    command = ["score", *words, "--executor", "dask", "--scheduler", processes.address]
    assert main([str(word) for word in command]) == 1
    assert (tmp_path / "again/scores.parquet").read_bytes() == rows
    assert list(ftp.folder.iterdir()) == []
    names = sorted(path.name for path in (tmp_path / "again").iterdir())
    assert names == ["run.json", "scores.parquet", "summary.json"]


def test_maps_are_bit_identical_to_those_of_this_machine(processes, data, tmp_path):
    """Catches a prediction that differs there, or leaves its scratch folder among the maps."""
    here = predict("centre-prior", dataset=data, out=tmp_path / "here", form="png16")
    there = predict(
        "centre-prior",
        dataset=data,
        out=tmp_path / "there",
        form="png16",
        executor="dask",
        scheduler=processes.address,
    )
    assert there.written == here.written == COUNT
    names = sorted(path.name for path in here.folder.iterdir())
    assert sorted(path.name for path in there.folder.iterdir()) == names
    assert all((here.folder / name).read_bytes() == (there.folder / name).read_bytes() for name in names)


def test_what_a_killed_driver_left_for_its_workers_is_removed(processes, data, tmp_path):
    """Catches the work and its fixations, hidden in the folder of maps for ever."""
    out = tmp_path / "maps"
    words = ["predict", "--dataset", data, "--model", "centre-prior", "--out", out]
    there = ["--executor", "dask", "--scheduler", processes.address]
    command = [sys.executable, "-m", "salbench", *map(str, [*words, *there])]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: list(out.glob(".cluster-*/work.pickle")))
    driver.kill()
    driver.wait()
    assert list(out.glob(".cluster-*"))
    assert main([str(word) for word in [*words, "-j", "1"]]) == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(f"s{number}.png" for number in range(COUNT))


def test_the_first_error_ends_a_strict_run(processes, data, maps, tmp_path):
    """Catches a run that goes on on the workers when the driver has given up."""
    with pytest.raises(RunError, match=r"stimulus s[35]"):
        score(data, predictions=maps, out=tmp_path / "run", strict=True, executor="dask", scheduler=processes.address)
    assert not leftovers(tmp_path / "run")


def test_a_model_that_cannot_be_loaded_there_ends_the_run(processes, data, tmp_path):
    """Catches an error of a worker that becomes a row of every stimulus, or comes back as Dask's own exception."""
    there = {"executor": "dask", "scheduler": processes.address}
    with pytest.raises(DataError, match=r"slow.*no such weights"):
        score(data, model=SlowModel(tmp_path / "log", broken=True), out=tmp_path / "run", **there)
    with pytest.raises(UsageError, match="cannot be sent to the workers"):
        score(data, model=SlowModel(threading.Lock()), out=tmp_path / "run", overwrite=True, **there)


def test_a_worker_that_differs_or_does_not_see_what_it_needs_is_named(processes, tmp_path):
    """Catches folders that are not shared, and scores of other versions than the run tells of."""
    versions, here = cluster_module._versions(), FolderPlace(tmp_path)
    (tmp_path / cluster_module.WORK).write_bytes(b"")
    with pytest.raises(RunError, match=f"the worker tcp://.* does not see {tmp_path}/gone"):
        do_nothing(processes, Ticket("a", FolderPlace(tmp_path / "gone"), "0", tmp_path, (), versions))
    with pytest.raises(RunError, match=r"does not see weights\.safetensors"):
        do_nothing(processes, Ticket("a", here, "0", tmp_path, (Path("weights.safetensors"),), versions))
    with pytest.raises(RunError, match=r"the worker tcp://.* has numpy .* instead of 0\.1"):
        do_nothing(processes, Ticket("a", here, "0", tmp_path, (), (("numpy", "0.1"),)))
    with pytest.raises(RunError, match="not what the driver wrote"):
        do_nothing(processes, Ticket("a", here, "0", tmp_path, (), versions))


def do_nothing(processes: Processes, ticket: Ticket) -> None:
    with Client(processes.address, set_as_default=False) as client:
        client.submit(cluster_module._do_chunk, ticket, b"").result()


def test_work_waits_for_a_worker_and_ends_with_its_scheduler(data, tmp_path):
    """Catches a driver that hangs without a word, where there is no worker yet and where the scheduler is gone."""
    alone = Processes(tmp_path)
    log = tmp_path / "log"
    log.touch()
    notes: list[str] = []

    class Listener(AfterAChunk):
        def note(self, text: str) -> None:
            notes.append(text)
            alone.worker()

    try:
        with pytest.raises(RunError, match=r"scheduler was lost.*run the same command again"):
            score(
                data,
                model=SlowModel(log),
                out=tmp_path / "run",
                executor="dask",
                scheduler=alone.address,
                progress=Listener(alone.scheduler.kill),
            )
    finally:
        alone.end()
    assert len(notes) == 1
    assert alone.address in notes[0]
    assert list((tmp_path / "run/shards").glob("*.jsonl"))


def test_an_address_where_nobody_answers_is_told(data, maps, tmp_path, monkeypatch):
    """Catches a driver that waits for ever, or reads all data before it asks."""
    monkeypatch.setattr(cluster_module, "ANSWER_SECONDS", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        for wrong in (address, "tcp://no.such.host.invalid:8786"):
            with pytest.raises(RunError, match="no Dask scheduler answers at"):
                score(data, predictions=maps, out=tmp_path / "run", executor="dask", scheduler=wrong)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "address", ["foo", "127.0.0.1", "127.0.0.1:18786x", "http://head:8786", "inproc://", "", "tcp://head:99999"]
)
def test_what_is_no_address_is_told_at_once(data, maps, tmp_path, monkeypatch, address):
    """Catches half a minute of waiting, and Dask's tracebacks, for a slip of the keyboard."""
    monkeypatch.setattr(cluster_module, "Client", lambda *_, **__: pytest.fail("it was tried"))
    with pytest.raises(UsageError, match="is no address of a scheduler; wanted: such as tcp://head-node:8786"):
        score(data, predictions=maps, out=tmp_path / "run", executor="dask", scheduler=address)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"executor": "dask"}, "needs the address of its scheduler"),
        ({"scheduler": "tcp://127.0.0.1:1"}, "belongs to the executor dask"),
        ({"executor": "dask", "scheduler": "tcp://127.0.0.1:1", "jobs": 2}, "2 jobs are processes of this machine"),
        ({"executor": "dusk"}, "did you mean dask|dask"),
    ],
)
def test_options_that_do_not_go_together_are_refused(data, maps, tmp_path, given, told):
    """Catches an option that is silently ignored."""
    with pytest.raises(UsageError, match=told):
        score(data, predictions=maps, out=tmp_path / "run", **given)
    with pytest.raises(UsageError, match=told):
        predict("centre", dataset=data, out=tmp_path / "maps", **given)


def test_without_the_extra_the_mend_is_named(data, maps, tmp_path):
    """Catches a traceback, or a package that cannot be imported without Dask."""
    code = (
        "import sys; sys.modules['distributed'] = None\n"
        "from salbench.cli import main\n"
        f"raise SystemExit(main(['score', '--dataset', {str(data)!r}, '--predictions', {str(maps)!r}, '--out', "
        f"{str(tmp_path / 'run')!r}, '--executor', 'dask', '--scheduler', 'tcp://127.0.0.1:1']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert 'pip install "salbench[cluster]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_only_a_window_of_chunks_is_in_flight():
    """Catches a driver whose memory grows with the number of stimuli: chunks are taken as room is made for them."""
    taken, finished = 0, 0

    def chunks() -> Iterator[list[int]]:
        nonlocal taken
        for number in range(50):
            taken += 1
            assert taken - finished <= 4
            yield [number]

    def submit(chunk: list[int]) -> Future[list[int]]:
        future: Future[list[int]] = Future()
        future.set_result(chunk)
        return future

    for chunk, result in as_finished(submit, chunks(), lambda: 4):
        finished += 1
        assert chunk == result
    assert finished == 50
