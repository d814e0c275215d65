"""How a data set of SALICON's size is listed, scored, interrupted and continued.

    python benchmarks/bench_salicon_scale.py [--stimuli N] [--jobs N] [--keep DIR]

Makes a tree in SALICON's real layout, N images of 640x480 and their .mat files of 50 workers with a dozen fixations and
two hundred mouse positions each, and prints: seconds until the split is listed and every image's size known; wall time,
images per second and peak memory of `salbench score` on a tenth of it and on the whole, before and after `salbench data
prepare`; and whether a run that is killed half-way, and started again, gives the same bytes. Reads /proc: needs Linux.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
import scipy.io
from PIL import Image
from process_memory import peaks

from salbench.digests import digest_file

DATASET, SPLIT = "salicon2017-fixations", "val"
HEIGHT, WIDTH = 480, 640
WORKERS, FIXATIONS, POSITIONS = 50, 12, 200
STATES = ("as they lie", "prepared")
PICTURES = 40
"""Different images; more would cost time and show nothing else."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stimuli", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the tree; one that is there is used again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="salbench-scale-") as scratch:
        root = options.keep or Path(scratch)
        os.environ["SALBENCH_CACHE"] = str(Path(scratch, "cache"))
        trees = {count: tree(root / f"salicon-{count}", count) for count in (options.stimuli // 10, options.stimuli)}
        for count, folder in trees.items():
            print(f"\n{count:,} stimuli")
            seconds, listed = listing(folder)
            print(f"  listed, with sizes     {seconds:7.2f} s for {listed:,}")
            scored(folder, count, Path(scratch), options.jobs, STATES[0])
            prepared = timed(["data", "prepare", "--dataset", DATASET, "--data", folder])
            print(f"  prepared               {prepared:7.2f} s")
            scored(folder, count, Path(scratch), options.jobs, STATES[1])
        interrupted(trees[options.stimuli], options.stimuli, Path(scratch), options.jobs)


def tree(root, count):
    """SALICON's layout; a tree of that size that is there already is left as it is."""
    shutil.rmtree(root / ".salbench", ignore_errors=True)
    if (root / "images" / SPLIT / f"{image_name(count)}.jpg").is_file():
        return root
    began = time.perf_counter()
    (root / "images" / SPLIT).mkdir(parents=True, exist_ok=True)
    (root / SPLIT).mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    pictures = [picture(rng, root / f"{number}.jpg") for number in range(PICTURES)]
    for number in range(1, count + 1):
        scipy.io.savemat(root / SPLIT / f"{image_name(number)}.mat", gaze(rng), do_compression=True)
        (root / "images" / SPLIT / f"{image_name(number)}.jpg").write_bytes(pictures[number % PICTURES])
    print(f"{root}: {count:,} stimuli made in {time.perf_counter() - began:.0f} s", flush=True)
    return root


def image_name(number):
    return f"COCO_val2014_{number:012d}"


def picture(rng, path):
    coarse = rng.integers(0, 256, (HEIGHT // 16, WIDTH // 16, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(path, quality=90)
    content = path.read_bytes()
    path.unlink()
    return content


def gaze(rng):
    """The variables of one .mat file: `image`, `resolution` and the struct array `gaze`, x and y from 1."""
    workers = np.empty((WORKERS, 1), dtype=[("location", object), ("timestamp", object), ("fixations", object)])
    centre = rng.uniform((120, 120), (WIDTH - 120, HEIGHT - 120))
    for number in range(WORKERS):
        points = np.clip(rng.normal(centre, 90, (POSITIONS, 2)), 1, (WIDTH, HEIGHT)).round()
        workers[number, 0] = (points, np.arange(POSITIONS)[:, None] * 25, points[:: POSITIONS // FIXATIONS][:FIXATIONS])
    return {"image": "image", "resolution": [[HEIGHT, WIDTH]], "gaze": workers}


def listing(folder):
    """Seconds in a fresh process until every stimulus's size is known, imports left out; and how many there are."""
    code = (
        "import sys, time; from salbench.datasets.registry import open_dataset; began = time.perf_counter(); "
        f"sizes = [one.size for one in open_dataset({DATASET!r}, sys.argv[1]).stimuli({SPLIT!r})]; "
        "print(time.perf_counter() - began, len(sizes))"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], check=True, capture_output=True, text=True)
    seconds, count = done.stdout.split()
    return float(seconds), int(count)


def scored(folder, count, scratch, jobs, state):
    began = time.perf_counter()
    driver, worker = peaks(command(folder, scratch / f"{count}-{state}", jobs))
    wall = time.perf_counter() - began
    print(
        f"  scored, {state:<14} {wall:7.2f} s, {count / wall:6.1f} images/s, nine metrics, {jobs} jobs; peak memory: "
        f"driver {driver:.0f} MB, largest worker {worker:.0f} MB",
        flush=True,
    )


def interrupted(folder, count, scratch, jobs):
    """Kill a run half-way, once and again, and compare what the last call leaves with an undisturbed run."""
    out = scratch / "interrupted"
    shards = []
    for _ in range(2):
        begun = len(shards)
        process = subprocess.Popen(
            command(folder, out, jobs), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while process.poll() is None and len(shards) < begun + 20:
            time.sleep(0.05)
            shards = list((out / "shards").glob("*")) if (out / "shards").is_dir() else []
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        print(f"  killed after           {len(shards):7d} stored pieces")
    subprocess.run(command(folder, out, jobs), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    runs = [scratch / f"{count}-{state}" for state in STATES]
    digests = {run.name: digest_file(run / "scores.parquet") for run in (*runs, out)}
    same = len(set(digests.values())) == 1
    print(f"  continued              {'the same bytes as an undisturbed run' if same else f'DIFFERENT: {digests}'}")


def command(folder, out, jobs):
    words = ["score", "--dataset", DATASET, "--data", folder, "--split", SPLIT, "--model", "centre", "--jobs", jobs]
    return [sys.executable, "-m", "salbench", *map(str, words), "--out", str(out)]


def timed(words):
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "salbench", *map(str, words)], check=True, stdout=subprocess.DEVNULL, stderr=None
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
