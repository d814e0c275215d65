"""Scores under every way of computing them, as digests: what must not matter, and whether it does.

    python tests/determinism/matrix.py [--osie FOLDER [--stimuli N]] [--processors]

Every cell is a `salbench score` in processes of its own, with an empty cache of its own: one or two workers, one or two
threads of the arithmetic libraries, two seeds of Python's hashes, and a file system that lists folders forwards or
backwards. Printed: a line a cell with the digest of each plan's scores.parquet. It ends with 1 where one differs.

`--osie` takes the first images of OSIE's test split instead of generated ones. `--processors` also scores as on other
processors, by what numpy and OpenBLAS are told not to use, and prints how far those scores lie from this one's: not the
same bits, since other instructions add in another order.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from salbench.digests import digest_file

HERE = Path(__file__).parent
SIZES = ((48, 64), (150, 200), (64, 48), (48, 64))
"""(height, width): large enough that libraries would share the work among threads, and of several sizes."""
PLANS = {
    "mit300, maps": ("--protocol", "mit300", "--predictions", "{maps}"),
    "mit300, density": ("--model", "centre-prior-cv", "--metrics", "information_gain,log_likelihood"),
    "salicon2015, maps": ("--protocol", "salicon2015", "--predictions", "{maps}"),
    "tuebingen, density": ("--protocol", "tuebingen", "--model", "gold-standard-cv"),
}
"""By name: options of `salbench score`, between them every metric of every protocol."""


@dataclass(frozen=True)
class Cell:
    """One way of computing scores. `backwards`: the order in which folders are listed."""

    jobs: int
    threads: int
    hash_seed: int
    backwards: bool

    def __str__(self) -> str:
        listed = "backwards" if self.backwards else "forwards"
        return f"{self.jobs} | {self.threads} | {self.hash_seed} | {listed}"

    def environment(self) -> dict[str, str]:
        """What a process of this cell is told by variables."""
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(self.threads))
        listed = {"LISTED_BACKWARDS": "1"} if self.backwards else {}
        return {**threads, **listed, "PYTHONHASHSEED": str(self.hash_seed)}


EVERY_CELL = [Cell(*values) for values in product((1, 2), (1, 2), (0, 1), (False, True))]
FEW_CELLS = [Cell(1, 1, 0, False), Cell(1, 2, 1, True), Cell(2, 2, 0, True)]
"""The plainest, and two in which as much as can is otherwise: with its own process on two threads, and with workers."""
PROCESSORS = {
    "SSE2 and SSE3 alone": {"NPY_DISABLE_CPU_FEATURES": "{simd}", "OPENBLAS_CORETYPE": "Prescott"},
    "AVX without FMA": {"NPY_DISABLE_CPU_FEATURES": "{simd}", "OPENBLAS_CORETYPE": "Sandybridge"},
}
"""By name: the variables that make libraries compute as on an older processor."""


@dataclass(frozen=True)
class Inputs:
    """What is scored: the options that name the data set, and a folder of maps."""

    dataset: Sequence[str]
    maps: Path


def generated(folder: Path, count: int = 10) -> Inputs:
    """A data set in the generic layout, with pixels that several viewers fixated, and maps of several sizes."""
    rng = np.random.default_rng(8)
    for part in ("images", "fixations", "maps"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        height, width = SIZES[number % len(SIZES)]
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(image).save(folder / "images" / f"scene{number}.png", compress_level=1)
        points = rng.integers((width // 4, height // 4), (width, height), (30, 2))
        points[20:] = points[:10]
        rows = [f"{x},{y},{place % 3}" for place, (x, y) in enumerate(points)]
        (folder / "fixations" / f"scene{number}.csv").write_text("\n".join(["x,y,viewer", *rows]) + "\n")
        np.save(folder / "maps" / f"scene{number}.npy", rng.random((height // (1 + number % 2), width)) ** 3)
    (folder / "maps").rename(folder.with_name(f"{folder.name} maps"))
    return Inputs(("--dataset", str(folder)), folder.with_name(f"{folder.name} maps"))


def digests(
    cell: Cell, inputs: Inputs, scratch: Path, plans: Iterable[str] | None = None, **variables: str
) -> list[str]:
    """The digest of each plan's scores in this cell; the run folders stay in `scratch`."""
    environment = {**os.environ, **cell.environment(), **variables, "SALBENCH_CACHE": str(scratch / "cache")}
    found = []
    for number, plan in enumerate(PLANS if plans is None else plans):
        options = [word.format(maps=inputs.maps) for word in PLANS[plan]]
        out = scratch / f"run{number}"
        words = [*inputs.dataset, *options, "--jobs", cell.jobs, "--strict", "--out", out]
        command = [sys.executable, HERE / "listed.py", "score", *words]
        done = subprocess.run(
            [str(word) for word in command], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{cell}: {plan}: {done.stderr}")
        found.append(digest_file(out / "scores.parquet"))
    return found


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def table(cells: Iterable[Cell], inputs: Inputs, scratch: Path) -> int:
    """Print the matrix, a row as soon as it is known. Returns how many digests differ from those of the first row."""
    say(f"| jobs | threads | hash seed | listed | {' | '.join(PLANS)} |")
    say("|---" * (4 + len(PLANS)) + "|")
    first: list[str] = []
    different = 0
    for number, cell in enumerate(cells):
        row = digests(cell, inputs, scratch / f"cell{number}")
        first = first or row
        different += sum(one != other for one, other in zip(first, row, strict=True))
        say(f"| {cell} | {' | '.join(digest[:16] for digest in row)} |")
    return different


def simd_of_this_processor() -> str:
    """What numpy would use beyond its baseline, as the variable wants it."""
    return " ".join(np.show_config(mode="dicts")["SIMD Extensions"]["found"])


def largest_differences(one: Path, other: Path) -> pd.Series:
    """Of each metric: how far the scores of two runs lie apart at most."""
    scores = [pd.read_parquet(run / "scores.parquet").set_index("stimulus") for run in (one, other)]
    numbers = [frame.drop(columns="error") for frame in scores]
    return (numbers[0] - numbers[1].loc[numbers[0].index]).abs().max()


def processors(inputs: Inputs, scratch: Path) -> None:
    """Print how far scores as of other processors lie from this one's."""
    digests(EVERY_CELL[0], inputs, scratch / "here")
    simd = simd_of_this_processor()
    for name, variables in PROCESSORS.items():
        there = scratch / re.sub(r"\W", "", name)
        digests(EVERY_CELL[0], inputs, there, **{key: value.format(simd=simd) for key, value in variables.items()})
        for number, plan in enumerate(PLANS):
            apart = largest_differences(scratch / "here" / f"run{number}", there / f"run{number}")
            say(f"{name}: {plan}: " + ", ".join(f"{key} {value:.0e}" for key, value in apart.items()))


def osie(root: Path, scratch: Path, count: int) -> Inputs:
    """OSIE's first test images in the generic layout, with maps of the centre prior."""
    from salbench import open_dataset, predict

    found = open_dataset("osie-eye", root).stimuli("test")[:count]
    folder = scratch / "osie"
    (folder / "images").mkdir(parents=True)
    (folder / "fixations").mkdir()
    for stimulus in found:
        (folder / "images" / stimulus.image_path.name).write_bytes(stimulus.image_path.read_bytes())
        fixations = stimulus.fixations()
        pd.DataFrame({"x": fixations.x, "y": fixations.y, "viewer": fixations.viewer}).to_csv(
            folder / "fixations" / f"{stimulus.id}.csv", index=False
        )
    predict("centre-prior", dataset=str(folder), out=scratch / "osie maps")
    return Inputs(("--dataset", str(folder)), scratch / "osie maps")


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--osie", type=Path, help="folder of OSIE")
    parser.add_argument("--stimuli", type=int, default=24, help="how many of OSIE's")
    parser.add_argument("--processors", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="salbench-matrix-") as scratch:
        folder = Path(scratch)
        inputs = osie(options.osie, folder, options.stimuli) if options.osie else generated(folder / "set")
        different = table(EVERY_CELL, inputs, folder)
        say(f"{different} of {len(EVERY_CELL) * len(PLANS)} digests differ")
        if options.processors:
            processors(inputs, folder)
    return different > 0


if __name__ == "__main__":
    sys.exit(main())
