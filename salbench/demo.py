"""The whole line on the embedded data set: train SalGAN small, score it beside two baselines, print a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salbench.atomic import write_text
from salbench.datasets.stimulus import Stimulus
from salbench.datasets.synthetic import open_synthetic
from salbench.figures import GridRow, write_grid
from salbench.image_files import read_map
from salbench.maps import mit_density
from salbench.progress import Progress
from salbench.scoring.run_folder import MAPS, Run
from salbench.scoring.runner import score
from salbench.tables import make_table, render
from salbench.training import train

TRAINING: dict[str, Any] = {
    "size": "64x48",
    "epochs": 24,
    "batch": 8,
    "loss": "bce4",
    "vgg_weights": "none",
    "init": "he",
    "optimizer": "adam",
    "learning_rate": 1e-4,
}
"""A random start on tiny scenes needs He initialisation and Adam; with VGG weights use the paper's settings."""

BASELINES = ("centre", "gold-standard")
PICTURES = 6


@dataclass(frozen=True)
class DemoResult:
    """What the demo made. `table`: Markdown; `latex`, `picture`, `checkpoint`: files."""

    table: str
    latex: Path
    picture: Path
    checkpoint: Path
    salgan_nss: float
    centre_nss: float

    @property
    def learned(self) -> bool:
        """Whether SalGAN's NSS is above the centre's."""
        return self.salgan_nss > self.centre_nss


def run_demo(out: Path, progress: Progress) -> DemoResult:
    """Train, score, print. An interrupted demo goes on in the same folder."""
    dataset = open_synthetic()
    checkpoint = train("salgan", dataset, out=out / "training", device="cpu", progress=progress, **TRAINING)
    runs = {"salgan": score(dataset, model="salgan", checkpoint=checkpoint, **_scoring(out, "salgan", progress))}
    for name in BASELINES:
        runs[name] = score(dataset, model=name, **_scoring(out, name, progress))
    table = make_table([run.path for run in runs.values()], layout="plain")
    latex, picture = out / "table.tex", out / "maps.png"
    write_text(latex, render(table, "latex"))
    write_grid(picture, ["image", "ground truth", "SalGAN", "centre"], _grid(dataset.stimuli()[:PICTURES], runs))
    return DemoResult(
        table=render(table, "markdown"),
        latex=latex,
        picture=picture,
        checkpoint=checkpoint,
        salgan_nss=runs["salgan"].mean("nss"),
        centre_nss=runs["centre"].mean("nss"),
    )


def _scoring(out: Path, name: str, progress: Progress) -> dict[str, Any]:
    return {"out": out / "runs" / name, "save_maps": True, "device": "cpu", "progress": progress}


def _grid(stimuli: Sequence[Stimulus], runs: dict[str, Run]) -> list[GridRow]:
    return [
        GridRow(
            stimulus.image(),
            [
                mit_density(stimulus.fixation_map()),
                *(read_map(runs[name].path / MAPS / f"{stimulus.id}.npy") for name in ("salgan", "centre")),
            ],
        )
        for stimulus in stimuli
    ]
