"""The examples of the README and the documentation run, and print what the pages say; pictures show what is so."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

from salbench.metrics import METRICS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
METRIC_PAGES = ROOT / "docs" / "metrics"
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.DOTALL | re.MULTILINE)


def examples() -> list[tuple[str, str, str]]:
    """Name, code, and what a text block right below says that it prints; empty where there is none."""
    found = []
    for page in PAGES:
        blocks = EXAMPLE.findall(page.read_text(encoding="utf-8"))
        found += [(f"{page.relative_to(ROOT)}-{number}", *block) for number, block in enumerate(blocks)]
    return found


@pytest.mark.parametrize(("name", "code", "printed"), examples(), ids=[name for name, _, _ in examples()])
def test_python_examples_run_and_print_what_the_page_says(name, code, printed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, name, "exec"), {"__name__": name})  # noqa: S102 - our own documentation
    out = capsys.readouterr().out
    assert out.strip()
    if printed:
        assert out == printed


def commands() -> list[str]:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    lines = re.findall(r"^\$ (salbench .*(?:\\\n.*)*)", text, re.MULTILINE)
    return [line.replace("\\\n", " ") for line in lines]


@pytest.mark.parametrize("line", commands())
def test_commands_in_the_documentation_name_real_options(line):
    """Catches a renamed command or option that the documentation still shows."""
    from salbench.cli.commands import cli

    words = line.split()[1:]
    command, context = cli, None
    while hasattr(command, "get_command") and words:
        command = command.get_command(context, words.pop(0))
        assert command is not None, line
    known = {name for parameter in command.params for name in parameter.opts}
    used = {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)}
    assert used <= known, line


def test_no_page_waits_for_a_figure():
    """Catches a place held for a number that was to be put in later."""
    assert [page.name for page in PAGES if re.search(r"@@|TODO|XXX", page.read_text(encoding="utf-8"))] == []


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.fixture(scope="module")
def pictures():
    """The script that draws the pictures of the metrics' pages, as a module."""
    spec = importlib.util.spec_from_file_location("docs_metrics_pictures", METRIC_PAGES / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("key", METRICS)
def test_every_metric_has_a_page_with_an_example_and_its_picture(key):
    page = METRIC_PAGES / f"{key}.md"
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {METRICS[key].symbol}: `{key}`\n")
    assert f"]({key}.png)" in text
    assert [printed for name, _, printed in examples() if Path(name).name == f"{key}.md-0" and printed]
    assert f"](metrics/{key}.md)" in (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    with Image.open(METRIC_PAGES / f"{key}.png") as picture:
        assert picture.format == "PNG"
        assert picture.width >= 800
    assert (METRIC_PAGES / f"{key}.png").stat().st_size < 60_000


@pytest.mark.parametrize("key", METRICS)
def test_pictures_show_what_the_metrics_give(key, pictures):
    """One point of each curve, as it is stored in the picture, against the public function."""
    study, stored = pictures.STUDIES[key], pictures.stored_curve(key)
    assert stored["x"] == [float(x) for x in study.xs]
    assert len(stored["y"]) == len(study.xs) > max(study.shown)
    place = study.shown[2]
    arguments = study.arguments(study.xs[place])
    if study.seeds:
        scores = [METRICS[key].function(**arguments, rng=1000 + seed) for seed in range(20)]
        assert stored["y"][place] == pytest.approx(sum(scores) / len(scores), abs=0.02)  # other random numbers
    else:
        assert stored["y"][place] == pytest.approx(METRICS[key].function(**arguments), abs=1e-9)


def test_a_picture_is_drawn_again_as_it_is(pictures, tmp_path):
    pictures.write("kl_divergence", tmp_path)
    with Image.open(tmp_path / "kl_divergence.png") as again, Image.open(METRIC_PAGES / "kl_divergence.png") as stored:
        assert again.size == stored.size
        assert sorted(again.info) == sorted(stored.info)
