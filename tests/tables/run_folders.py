"""What the runner writes into a run folder, made by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

PLAN: dict[str, Any] = {
    "format": 1,
    "salbench": "0.1.0",
    "model": {
        "key": "salgan",
        "title": "SalGAN",
        "trained_on": ["osie-mouse-amt/train"],
        "uses_ground_truth": False,
        "citation": "Pan et al. 2017",
    },
    "dataset": {"key": "osie-eye", "title": "OSIE (eye tracking)", "split": "test", "n": 300},
    "protocol": {"key": "mit300", "label": "MIT300", "blur": "8 cycles per image"},
    "metrics": ["nss"],
    "seed": 0,
}

MakeRun = Callable[..., Path]


def score(mean: float | None, low: float | None = None, high: float | None = None, n: int = 300) -> dict[str, Any]:
    return {"mean": mean, "ci_low": low, "ci_high": high, "n": n}
