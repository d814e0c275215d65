"""Runs that a test changed, with a check sum and means that fit again, as a forger would leave them."""

import json
from pathlib import Path

import pandas as pd

from salbench.digests import digest_file


def reseal(folder: Path) -> Path:
    """Make a run's summary that of its rows: check sum, counts and means, but not the intervals."""
    scores = pd.read_parquet(folder / "scores.parquet")
    summary = json.loads((folder / "summary.json").read_text())
    summary["scores_sha256"] = digest_file(folder / "scores.parquet")
    summary["n"], summary["errors"] = len(scores), int((scores["error"] != "").sum())
    for key, figures in summary["metrics"].items():
        defined = scores[key].dropna()
        figures["mean"] = float(defined.mean()) if len(defined) else None
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder
