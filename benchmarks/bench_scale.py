"""What a stimulus costs beyond its metrics when there are very many, with processes of this machine and on a cluster.

    python benchmarks/bench_scale.py [--stimuli 1000,10000] [--workers N] [--folder DIR]

Data: that many stimuli of 32x24 pixels in the generic layout with a map each, hard links to a few files, so that what
is measured is not the metrics, of which NSS and CC alone are computed. Each number is scored twice by its own process:
with N worker processes (`local`), and with a Dask scheduler and N workers of one thread that are started here (`dask`).

Printed: seconds before scoring (data listed, fixations read, inputs' check sums), of scoring, and after it (rows read
and summed up); stimuli per second of scoring; overhead, which is the time that N workers took for a stimulus less the
time that one takes for its row alone; peak resident size of the driver. Both runs' scores must be the same bytes.
Reads /proc, so it needs Linux.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from PIL import Image
from process_memory import peaks

from salbench import score
from salbench.array_cache import open_cache
from salbench.datasets.folder import open_folder
from salbench.progress import Silent
from salbench.protocols import find_protocol
from salbench.scoring.fixated_pixels import read_fixations
from salbench.scoring.stimulus_score import ModelSource, StimulusScorer, numbered
from salbench.scoring.workers import one_thread

METRICS = ("nss", "cc")
SIZE = (24, 32)
FIXATIONS = 20
VARIANTS = 16
"""Different files behind the stimuli: a file system allows some ten thousand links to each."""
ROW_SAMPLE = 500


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stimuli", default="1000,10000", help="numbers of stimuli, separated by commas")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the data are made, by default below the temporary folder")
    parser.add_argument("--driver", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.driver is not None:
        drive(**options.driver)
        return
    with tempfile.TemporaryDirectory(prefix="salbench-scale-", dir=options.folder) as scratch:
        os.environ["SALBENCH_CACHE"] = str(Path(scratch, "cache"))
        measure(Path(scratch), [int(count) for count in options.stimuli.split(",")], options.workers)


def measure(scratch, counts, workers):
    print(f"{workers} workers; NSS and CC on {SIZE[1]}x{SIZE[0]} pixels; times in seconds unless said otherwise")
    print(" stimuli where  before  scoring  after    1/s  overhead   driver")
    with Cluster(scratch, workers) as cluster:
        for count in counts:
            root = many_stimuli(scratch / str(count), count)
            row = row_seconds(root)
            local = report(root, count, row, workers, "local", {"jobs": workers})
            there = report(root, count, row, workers, "dask", {"executor": "dask", "scheduler": cluster.address})
            assert local == there, "the scores differ"
            print(f"{'':8} a row alone {row * 1e3:.2f} ms; the scores of both are the same bytes")


def many_stimuli(root, count):
    """A data set of `count` stimuli, and a map for each."""
    rng = np.random.default_rng(0)
    kinds = {"images": "png", "fixations": "csv", "maps-of-a-model": "png"}
    for kind, suffix in kinds.items():
        (root / kind).mkdir(parents=True)
        (root / "variants").mkdir(exist_ok=True)
        for variant in range(VARIANTS):
            write(root / "variants" / f"{kind}{variant}.{suffix}", kind, rng)
        for number in range(count):
            source = root / "variants" / f"{kind}{number % VARIANTS}.{suffix}"
            os.link(source, root / kind / f"s{number:07d}.{suffix}")
    return root


def write(path, kind, rng):
    height, width = SIZE
    if kind == "fixations":
        rows = [f"{rng.integers(width)},{rng.integers(height)}" for _ in range(FIXATIONS)]
        path.write_text("\n".join(["x,y", *rows]) + "\n")
        return
    shape = (*SIZE, 3) if kind == "images" else SIZE
    Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path)


def row_seconds(root):
    """What one process takes for the row of a stimulus, the cache of ground truth being filled."""
    stimuli, protocol, cache = open_folder(root).stimuli(), find_protocol("mit300"), open_cache()
    recorded = read_fixations(stimuli[: 2 * ROW_SAMPLE], Silent(), cache, protocol)
    source = ModelSource(folder=root / "maps-of-a-model")
    scorer = StimulusScorer(recorded.pixels, source, protocol.key, METRICS, None, 0, cache=cache)
    scorer.prepare()
    sample = list(numbered(stimuli[: 2 * ROW_SAMPLE]))
    with one_thread():
        for one in sample[:ROW_SAMPLE]:
            scorer.row(one)
        began = time.perf_counter()
        for one in sample[-ROW_SAMPLE:]:
            scorer.row(one)
    return (time.perf_counter() - began) / ROW_SAMPLE


def report(root, count, row, workers, where, given):
    """Score in a process of its own, print a line, and return the bytes of the scores."""
    out, times = root / f"run-{where}", root / f"times-{where}.json"
    job = {"root": str(root), "out": str(out), "times": str(times), "given": given}
    driver, _ = peaks([sys.executable, __file__, "--driver", json.dumps(job)])
    took = json.loads(times.read_text())
    overhead = took["scoring"] * workers / count - row
    print(
        f"{count:>8} {where:<5} {took['before']:7.1f} {took['scoring']:8.1f} {took['after']:6.1f} "
        f"{count / took['scoring']:6.0f} {overhead * 1e3:6.2f} ms {driver:5.0f} MB",
        flush=True,
    )
    return (out / "scores.parquet").read_bytes()


class Clock(Silent):
    """When scoring began and ended; what comes before it, from the start of the call on."""

    def __init__(self):
        self.began = time.perf_counter()
        self.marks = {}
        self.current = ""

    def start(self, description, total, done=0):
        self.current = description
        self.marks[f"{description} began"] = time.perf_counter()

    def finish(self):
        self.marks[f"{self.current} ended"] = time.perf_counter()


def drive(root, out, times, given):
    clock = Clock()
    score(root, predictions=Path(root, "maps-of-a-model"), metrics=METRICS, out=out, progress=clock, **given)
    began, ended = clock.marks["scoring began"], clock.marks["scoring ended"]
    took = {"before": began - clock.began, "scoring": ended - began, "after": time.perf_counter() - ended}
    Path(times).write_text(json.dumps(took))


class Cluster:
    """A scheduler and workers of one thread, on this machine."""

    def __init__(self, scratch, workers):
        self.record, self.workers, self.processes = scratch / "scheduler.json", workers, []

    def __enter__(self):
        record = ("--no-dashboard", "--scheduler-file", self.record)
        self.start("scheduler", "--host", "127.0.0.1", "--port", 0, *record)
        while not (self.record.is_file() and self.record.stat().st_size):
            time.sleep(0.05)
        for _ in range(self.workers):
            self.start("worker", *record, "--nthreads", 1, "--no-nanny", "--death-timeout", 60)
        self.address = json.loads(self.record.read_text())["address"]
        return self

    def start(self, kind, *options):
        words = [sys.executable, "-m", "dask", kind, *map(str, options)]
        self.processes.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def __exit__(self, *error):
        for process in reversed(self.processes):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
