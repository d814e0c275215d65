"""Run folders that are incomplete, damaged or hostile are refused by name, with what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_folders import MakeRun

from salbench.errors import RunError
from salbench.tables import make_table

Damage = Callable[[dict[str, Any]], object]


@pytest.fixture
def run(make_run: MakeRun) -> Path:
    return make_run("run", {"nss": 1.0})


def edit(file: Path, damage: Damage) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    damage(content)
    file.write_text(json.dumps(content), encoding="utf-8")


def test_a_run_that_is_not_complete_names_the_mend(run: Path) -> None:
    """Catches half a run in a table, and a refusal that leaves the user alone."""
    (run / "summary.json").unlink()
    with pytest.raises(RunError, match=r"not complete.*same `salbench score` command again") as caught:
        make_table([run])
    assert str(run) in str(caught.value)


def test_folders_that_are_no_runs(tmp_path: Path) -> None:
    """Catches a traceback for a mistyped path, a plain file or any other folder."""
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="no such folder"):
        make_table([tmp_path / "missing"])
    with pytest.raises(RunError, match="file is not strict JSON"):
        make_table([tmp_path / "file"])
    with pytest.raises(RunError, match=r"has no run\.json"):
        make_table([tmp_path])


@pytest.mark.parametrize("name", ["run.json", "summary.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"n": NaN}',
        b'{"n": Infinity}',
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
    ids=["empty", "cut", "list", "text", "not UTF-8", "deep", "NaN", "Infinity", "5000 digits"],
)
def test_files_that_are_no_json_objects(run: Path, name: str, content: bytes) -> None:
    """Catches a decoder's own exception, or NaN taken for JSON."""
    (run / name).write_bytes(content)
    with pytest.raises(RunError) as caught:
        make_table([run])
    assert str(run / name) in str(caught.value)


PLAN_DAMAGE: dict[str, tuple[Damage, str]] = {
    "format of the future": (lambda plan: plan.update(format=2), "format is 2; this salbench reads format 1"),
    "format as truth": (lambda plan: plan.update(format=True), "format must be a whole number"),
    "no format": (lambda plan: plan.pop("format"), "format is missing"),
    "no version": (lambda plan: plan.pop("salbench"), "salbench is missing"),
    "no model": (lambda plan: plan.pop("model"), "model is missing"),
    "model as text": (lambda plan: plan.update(model="SalGAN"), 'model must be an object, not "SalGAN"'),
    "no title": (lambda plan: plan["model"].pop("title"), r"model\.title is missing"),
    "blank key": (lambda plan: plan["model"].update(key=" \n"), r"model\.key is empty"),
    "title as number": (lambda plan: plan["model"].update(title=3), r"model\.title must be text, not 3"),
    "trained on text": (lambda plan: plan["model"].update(trained_on="a/b"), r"model\.trained_on must be a list"),
    "trained on numbers": (lambda plan: plan["model"].update(trained_on=[1]), r"model\.trained_on must be a list"),
    "truth as text": (
        lambda plan: plan["model"].update(uses_ground_truth="false"),
        r"model\.uses_ground_truth must be true or false",
    ),
    "no split": (lambda plan: plan["dataset"].pop("split"), r"dataset\.split is missing"),
    "no protocol": (lambda plan: plan.update(protocol=None), "protocol must be an object, not null"),
    "inputs as list": (lambda plan: plan.update(inputs=[]), "inputs must be an object"),
    "digest as number": (lambda plan: plan.update(inputs={"fixations": 1}), r"inputs\.fixations must be text"),
    "baseline as number": (lambda plan: plan["protocol"].update(ig_baseline=1), r"protocol\.ig_baseline must be text"),
    "no label": (lambda plan: plan["protocol"].pop("label"), r"protocol\.label is missing"),
}

SUMMARY_DAMAGE: dict[str, tuple[Damage, str]] = {
    "no n": (lambda summary: summary.pop("n"), "n is missing"),
    "negative n": (lambda summary: summary.update(n=-1), "n must be a whole number of at least 0, not -1"),
    "n and a half": (lambda summary: summary.update(n=1.5), "n must be a whole number"),
    "no errors": (lambda summary: summary.pop("errors"), "errors is missing"),
    "no metrics": (lambda summary: summary.update(metrics={}), "metrics names no metric"),
    "metric as number": (lambda summary: summary["metrics"].update(cc=0.5), r"metrics\.cc must be an object"),
    "mean as text": (
        lambda summary: summary["metrics"]["nss"].update(mean="=1+1"),
        r"metrics\.nss\.mean must be a number or null",
    ),
    "mean as truth": (lambda summary: summary["metrics"]["nss"].update(mean=True), r"metrics\.nss\.mean must be a"),
    "no mean": (lambda summary: summary["metrics"]["nss"].pop("mean"), r"metrics\.nss\.mean is missing"),
    "no end": (lambda summary: summary["metrics"]["nss"].pop("ci_high"), r"metrics\.nss\.ci_high is missing"),
    "huge mean": (lambda summary: summary["metrics"]["nss"].update(mean=10**400), r"mean is too large"),
    "bare AUC": (
        lambda summary: summary["metrics"].update(auc=summary["metrics"]["nss"]),
        r"metrics\.auc is no metric key",
    ),
    "hostile key": (
        lambda summary: summary["metrics"].update({"<b>": summary["metrics"]["nss"]}),
        r"metrics\.<b> is no metric key",
    ),
}


@pytest.mark.parametrize(("damage", "words"), PLAN_DAMAGE.values(), ids=PLAN_DAMAGE)
def test_a_damaged_plan_is_refused(run: Path, damage: Damage, words: str) -> None:
    """Catches a KeyError or TypeError, or a row made of a damaged run.json."""
    edit(run / "run.json", damage)
    with pytest.raises(RunError, match=words) as caught:
        make_table([run])
    assert str(caught.value).startswith(str(run / "run.json"))


@pytest.mark.parametrize(("damage", "words"), SUMMARY_DAMAGE.values(), ids=SUMMARY_DAMAGE)
def test_a_damaged_summary_is_refused(run: Path, damage: Damage, words: str) -> None:
    """Catches a KeyError or TypeError, or a figure made of a damaged summary.json."""
    edit(run / "summary.json", damage)
    with pytest.raises(RunError, match=words) as caught:
        make_table([run])
    assert str(caught.value).startswith(str(run / "summary.json"))


def test_a_number_that_overflows_is_refused(run: Path) -> None:
    """Catches inf in print, which JSON can smuggle in as 1e999."""
    text = (run / "summary.json").read_text(encoding="utf-8").replace("1.0", "1e999")
    (run / "summary.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match="mean is too large"):
        make_table([run])


def test_further_members_are_ignored(run: Path) -> None:
    """Catches a reader that refuses what a later salbench of the same format adds."""
    edit(run / "run.json", lambda plan: plan.update(git={"commit": "abc"}))
    assert make_table([run]).sections[0].rows[0].model == "SalGAN"


@pytest.mark.parametrize("package", ["salbench-models", None])
def test_the_models_package_is_tolerated(run: Path, package: str | None) -> None:
    """Catches a reader that refuses run.json's model.package, or wants a text where a folder of maps has null."""
    edit(run / "run.json", lambda plan: plan["model"].update(package=package))
    assert make_table([run]).sections[0].rows[0].model == "SalGAN"


@pytest.mark.parametrize("blank", ["", " \n\t"])
def test_a_blank_title_falls_back_to_the_key(run: Path, blank: str) -> None:
    """Catches a run that scored fine with --name "", or title = "" in dataset.toml, and is then refused by table."""
    edit(run / "run.json", lambda plan: plan["model"].update(title=blank))
    edit(run / "run.json", lambda plan: plan["dataset"].update(title=blank))
    edit(run / "run.json", lambda plan: plan["protocol"].update(label=blank))
    (section,) = make_table([run]).sections
    assert section.rows[0].model == "salgan"
    assert section.title == "Measured: osie-eye (osie-eye/test), protocol mit300"


@pytest.mark.parametrize(
    "inputs", [None, {}, {"fixations": None, "maps": None}, {"predictions": "ab", "checkpoint": "cd"}]
)
def test_runs_without_digests_are_read(run: Path, inputs: dict[str, str | None] | None) -> None:
    """Catches a crash or a refusal where a run records no digest of its ground truth."""
    edit(run / "run.json", lambda plan: plan.update(inputs=inputs))
    (section,) = make_table([run]).sections
    assert section.title == "Measured: OSIE (eye tracking) (osie-eye/test), protocol MIT300"
