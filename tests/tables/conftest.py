"""Run folders for the tests of tables."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from run_folders import PLAN, MakeRun, score


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Write a run folder: `model=`, `dataset=`, `protocol=`, `inputs=` change those records, numbers become scores."""

    def make(
        name: str,
        scores: Mapping[str, Any],
        *,
        n: int = 300,
        errors: int = 0,
        version: str = "0.1.0",
        **changes: Mapping[str, Any],
    ) -> Path:
        plan = copy.deepcopy(PLAN) | {"salbench": version}
        for record, members in changes.items():
            plan[record] = plan.get(record, {}) | members
        metrics = {key: value if isinstance(value, dict) else score(value, n=n) for key, value in scores.items()}
        folder = tmp_path / name
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(plan), encoding="utf-8")
        summary = {"n": n, "errors": errors, "metrics": metrics}
        (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
        return folder

    return make
