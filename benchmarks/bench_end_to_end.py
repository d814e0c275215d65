"""What `salbench score` costs beyond its metrics, and whether its memory grows with the number of stimuli.

    SALBENCH_DATA=... python benchmarks/bench_end_to_end.py [--predictions DIR] [--jobs N] [--without-memory]

Time: OSIE's 300 test images against a folder of PNG maps (by default made here from the centre prior), all nine
metrics. The command is run once to fill the cache of ground truth, then timed, start and end of the process included;
every metric is timed alone on the same maps, in this process. Printed: wall time / (sum of metric times / jobs).

Memory: the same images 1 and 10 times over in the generic layout, 300 and 3,000 stimuli. Printed: the peak resident
size of the driver and of the largest worker. Reads /proc, so it needs Linux.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from process_memory import peaks

from salbench import metrics, open_dataset, predict
from salbench.image_files import read_map
from salbench.maps import mit_density
from salbench.protocols import find_protocol

METRIC_KEYS = find_protocol("mit300").choose(None)
COPIES = (1, 10)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=Path, help="folder of maps of OSIE's test images")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-memory", action="store_true")
    options = parser.parse_args()
    osie = Path(os.environ["SALBENCH_DATA"]) / "datasets" / "osie"
    with tempfile.TemporaryDirectory(prefix="salbench-bench-") as scratch:
        os.environ["SALBENCH_CACHE"] = str(Path(scratch, "cache"))
        maps = options.predictions or centre_prior_maps(osie, Path(scratch, "maps"))
        end_to_end(osie, maps, Path(scratch), options.jobs, options.rounds)
        if not options.without_memory:
            memory(osie, maps, Path(scratch), options.jobs)


def centre_prior_maps(osie, folder):
    predict("centre-prior", dataset="osie-eye", data=osie, out=folder)
    return folder


def end_to_end(osie, maps, scratch, jobs, rounds):
    command = ["--dataset", "osie-eye", "--data", osie, "--predictions", maps]
    cold = timed(score_command(scratch / "cold", jobs, *command))
    walls, sums = [], []
    for number in range(rounds):
        walls.append(timed(score_command(scratch / f"warm{number}", jobs, *command)))
        sums.append(sum(metric_seconds(osie, maps).values()))
    wall, alone = float(np.median(walls)), float(np.median(sums))
    print(f"300 images, nine metrics, {jobs} jobs, medians of {rounds} rounds")
    print(f"  wall time              {wall:6.2f} s  (with an empty cache of ground truth: {cold:.2f} s)")
    print(f"  metrics alone, summed  {alone:6.2f} s")
    print(f"  wall / (sum / jobs)    {wall / (alone / jobs):6.2f}")


def metric_seconds(osie, maps):
    """Seconds that each metric takes on all maps, ground truth and other map given."""
    stimuli = open_dataset("osie-eye", osie).stimuli("test")
    fixated = [stimulus.fixation_map() for stimulus in stimuli]
    baseline = mit_density(np.sum(fixated, axis=0))
    rng = np.random.default_rng(0)
    spent = dict.fromkeys(METRIC_KEYS, 0.0)
    for number, stimulus in enumerate(stimuli):
        saliency = read_map(maps / f"{stimulus.id}.png")
        truth = mit_density(fixated[number])
        others = np.any([fixated[i] for i in rng.choice(len(stimuli), 10, replace=False)], axis=0)
        needed = {"fixation map": fixated[number], "ground-truth map": truth, "baseline map": baseline}
        needed["fixations of other images"] = others
        for key in METRIC_KEYS:
            metric = metrics.METRICS[key]
            given = [needed[need.value] for need in metric.needs]
            drawing = {"rng": rng} if key.startswith("auc") else {}
            began = time.perf_counter()
            metric.function(saliency, *given, **drawing)
            spent[key] += time.perf_counter() - began
    return spent


def score_command(out, jobs, *arguments):
    words = [sys.executable, "-m", "salbench", "score", *arguments, "--jobs", jobs, "--out", out]
    return [str(word) for word in words]


def timed(command):
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def memory(osie, maps, scratch, jobs):
    print(f"\npeak resident memory, {jobs} jobs")
    for copies in COPIES:
        data, predictions = copied_set(osie, maps, scratch / f"set{copies}", copies)
        command = score_command(scratch / f"peak{copies}", jobs, "--dataset", data, "--predictions", predictions)
        driver, worker = peaks(command)
        print(f"  {300 * copies:>5} stimuli: driver {driver:6.1f} MB, largest worker {worker:6.1f} MB")


def copied_set(osie, maps, root, copies):
    """OSIE's test images under several names each, in the generic layout; links, so that they cost no disk."""
    data, predictions = root / "data", root / "maps"
    for folder in (data / "images", data / "fixations", predictions):
        folder.mkdir(parents=True)
    for stimulus in open_dataset("osie-eye", osie).stimuli("test"):
        fixations = stimulus.fixations()
        for copy in range(copies):
            name = f"{stimulus.id}-{copy}"
            (data / "images" / f"{name}.jpg").symlink_to(stimulus.image_file.resolve())
            (predictions / f"{name}.png").symlink_to((maps / f"{stimulus.id}.png").resolve())
            with (data / "fixations" / f"{name}.csv").open("w", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(["x", "y", "viewer"])
                rows.writerows(zip(fixations.x, fixations.y, fixations.viewer, strict=True))
    return data, predictions


if __name__ == "__main__":
    main()
