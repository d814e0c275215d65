"""What a user can ask of a table: digits, order, emphasis, the other way round, siunitx, a whole document."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from run_folders import MakeRun, score

from salbench.errors import UsageError
from salbench.metrics import METRICS
from salbench.tables import FORMATS, make_table, render

LAYOUTS = ("2", "3", "4")


def with_rows(folder: Path, **columns: list[float]) -> Path:
    """A run folder with the rows that its means came from."""
    count = len(next(iter(columns.values())))
    rows = pd.DataFrame({"stimulus": [f"s{i}" for i in range(count)], **columns, "error": [""] * count})
    rows.to_parquet(folder / "scores.parquet")
    return folder


def emphases(runs: list[Path], key: str, **options) -> dict[str, str]:
    table = make_table(runs, emphasis=True, **options)
    place = [column.key for column in table.columns].index(key)
    return {row.model: row.cells[place].emphasis for row in table.sections[-1].rows}


@pytest.fixture
def three(make_run: MakeRun) -> list[Path]:
    """Scores by which A is best, B differs from it by nothing but noise, and C is worse on every stimulus."""
    rng = np.random.default_rng(0)
    hard = rng.normal(2.0, 0.5, 40)
    noise = rng.normal(0, 0.2, 40)
    values = {"A": hard, "B": hard - 0.01 + noise - noise.mean(), "C": hard - 0.3 + rng.normal(0, 0.05, 40)}
    return [
        with_rows(make_run(name, {"nss": score(float(v.mean()), 1.0, 3.0, n=40)}, model={"title": name}, n=40), nss=v)
        for name, v in values.items()
    ]


def test_digits_of_measured_values_only(make_run: MakeRun) -> None:
    """Catches digits that are added to, or taken from, what a paper printed."""
    table = make_table([make_run("run", {"nss": score(1.23456, 1.0, 1.5)})], layout="3", published=True, digits=1)
    cells = {row.model: row.cells[2] for section in table.sections for row in section.rows}
    assert cells["SalGAN"].value == "1.2"
    assert cells["MSE"].value == "1.680"
    with pytest.raises(UsageError, match="0 to 10"):
        make_table([], layout="3", published=True, digits=11)


@pytest.mark.parametrize("wanted", ["kl_divergence", "KL", "kl"])
def test_rows_are_sorted_by_worth(wanted: str) -> None:
    """Catches an order by text, by the wrong direction, or that puts undefined values first."""
    table = make_table([], layout="4", published=True, sort=wanted)
    values = [row.cells[-1].value for row in table.sections[1].rows]
    assert values == sorted(values, key=float)
    by_emd = make_table([], layout="4", published=True, sort="emd")
    assert [row.cells[2].value for row in by_emd.sections[1].rows][:2] == ["0.00", "2.04"]
    by_nss = make_table([], layout="4", published=True, sort="nss")
    assert [row.model for row in by_nss.sections[0].rows] == ["DSCLRCN", "ML-NET", "SalGAN", "SalNet"]


def test_an_unknown_column_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="auc_judd"):
        make_table([], layout="4", published=True, sort="auc")


def test_the_best_the_tied_and_the_next(three: list[Path]) -> None:
    """Catches a tie judged by means alone, and a second place given to a model that ties with the first."""
    assert emphases(three, "nss") == {"A": "best", "B": "best", "C": "second"}


def test_without_rows_only_equal_values_tie(three: list[Path]) -> None:
    """Catches a crash on entries whose rows are not at hand, and ties that nothing shows."""
    for run in three:
        (run / "scores.parquet").unlink()
    assert emphases(three, "nss") == {"A": "best", "B": "second", "C": ""}
    notes = " ".join(make_table(three, emphasis=True).notes)
    assert "only equal printed values tie" in notes
    assert "bootstrap interval of the mean difference" not in notes


def test_bounds_are_not_the_best(make_run: MakeRun) -> None:
    """Catches a gold standard, or the paper's humans, in bold among the models."""
    gold = make_run("gold", {"nss": 3.0}, model={"title": "Gold", "uses_ground_truth": True})
    runs = [gold, make_run("one", {"nss": 1.0}, model={"title": "One"}), make_run("two", {"nss": 2.0})]
    assert emphases(runs, "nss") == {"Gold": "", "One": "second", "SalGAN": "best"}
    mit300 = make_table([], layout="4", published=True, emphasis=True).sections[1]
    assert all(cell.emphasis == "" for cell in mit300.rows[0].cells)
    assert [row.model for row in mit300.rows if row.cells[2].emphasis == "best"] == ["DeepFix"]  # EMD, lower is better


@pytest.mark.parametrize(
    ("form", "best", "second"),
    [
        ("markdown", r"\*\*2\.\d+\*\*", r"<u>1\.\d+</u>"),
        ("html", r"<strong>2\.\d+</strong>", r"<u>1\.\d+</u>"),
        ("latex", r"\\textbf\{2\.\d+\}", r"\\underline\{1\.\d+\}"),
    ],
)
def test_every_format_shows_the_emphasis(three: list[Path], form: str, best: str, second: str) -> None:
    """Catches a format that drops bold or underlined values, and a table that does not say what they mean."""
    text = render(make_table(three, emphasis=True, layout="3"), form)
    assert len(re.findall(best, text)) + len(re.findall(best.replace("2", "1", 1), text)) == 2
    assert len(re.findall(second, text)) == 1
    assert "underlined: the next best" in text


def test_plus_minus_is_half_of_the_interval(make_run: MakeRun) -> None:
    """Catches half widths of rounded ends: 0.0149 wide halves to 0.007, its printed ends 1.00 and 1.01 to 0.01."""
    run = make_run("run", {"nss": score(1.007, 1.0, 1.0149)})
    assert "1.007 ± 0.007" in render(make_table([run]), "markdown", interval_style="plus-minus")
    assert "1.01 ± 0.01" in render(make_table([run], digits=2), "markdown", interval_style="plus-minus")
    with pytest.raises(UsageError, match="plus-minus"):
        render(make_table([run]), "markdown", interval_style="plusminus")


def test_transposed_tables_hold_the_same_cells() -> None:
    """Catches a value that lands under another model."""
    table = make_table([], layout="4", published=True)
    lines = [line for line in render(table, "markdown", transpose=True).splitlines() if line.startswith("|")]
    blocks = [[[c.strip() for c in line.strip("|").split("|")] for line in lines if len(line) == n] for n in
              dict.fromkeys(len(line) for line in lines)]  # fmt: skip
    for section, block in zip(table.sections, blocks, strict=True):
        header, _, *rows = block
        assert header == [section.title, *(row.label.replace("*", r"\*") for row in section.rows)]
        assert [row[0] for row in rows] == [column.heading for column in table.columns]
        for place, row in enumerate(section.rows, start=1):
            assert [line[place] for line in rows] == [cell.text for cell in row.cells]


@pytest.mark.parametrize("form", ["markdown", "html", "csv"])
def test_options_of_latex_are_refused_elsewhere(form: str) -> None:
    """Catches an option that is ignored without a word."""
    table = make_table([], layout="3", published=True)
    with pytest.raises(UsageError, match="siunitx"):
        render(table, form, siunitx=True)
    if form != "html":
        with pytest.raises(UsageError, match="document"):
            render(table, form, document=True)


def test_a_whole_page_stands_alone() -> None:
    """Catches a page that needs a file from elsewhere."""
    page = render(make_table([], layout="4", published=True), "html", document=True)
    assert page.startswith("<!DOCTYPE html>")
    assert not re.search(r"(src|href)=", page)


# LaTeX, compiled


def printed_lines(source: str, folder: Path) -> list[str]:
    """Compile a document, and read the lines of its PDF."""
    for tool, package in (("pdflatex", "texlive-latex-recommended"), ("pdftotext", "poppler-utils")):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (Debian: {package})")
    if (
        "siunitx" in source
        and not subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True, check=False).stdout
    ):
        pytest.skip("siunitx is not installed (Debian: texlive-science)")
    (folder / "t.tex").write_text(source, encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"]
    done = subprocess.run(words, cwd=folder, capture_output=True, check=False)
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log
    assert "Overfull" not in log
    subprocess.run(["pdftotext", "-layout", "t.pdf"], cwd=folder, check=True)
    text = (folder / "t.txt").read_text(encoding="utf-8").translate({0x2212: "-", 0x2217: "*"})
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@pytest.mark.data
@pytest.mark.parametrize("siunitx", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_compiled_tables_read_as_in_print(layout: str, siunitx: bool, salbench_data: Path, tmp_path: Path) -> None:
    """Catches a figure, mark or heading of the PDF that is not the paper's, citation numbers and one cell aside."""
    paper = (salbench_data / "paper" / "salgan-2017.txt").read_text(encoding="utf-8")
    lines = [" ".join(line.split()) for line in paper.splitlines() if line.strip()]
    heads = {"2": "sAUC ↑ AUC-B ↑ NSS ↑ CC ↑ IG ↑", "3": "sAUC ↑ AUC-B ↑ NSS ↑ CC ↑ IG", "4": "SALICON (test) AUC-J"}
    head = next(line for line in lines if line == heads[layout] or (layout == "4" and line.startswith(heads["4"])))
    start = lines.index(head)
    end = next(i for i in range(start, len(lines)) if lines[i].startswith(f"Table {layout}:"))
    wanted = [re.sub(r" \[\d+\]", "", line) for line in lines[start:end]]
    wanted = [re.sub(r"(?<=\S)\(\*\)", " (*)", line) for line in wanted]
    if layout == "3":
        wanted[0] += " ↑"  # the print forgets IG's arrow
    if layout == "4":
        place = next(i for i, line in enumerate(wanted) if line.startswith("Deep Gaze II (*)"))
        assert wanted[place].endswith("(0.96)")  # against the print's own rule, so not forced
        wanted[place] = wanted[place].replace("(0.96)", "0.96")
    table = make_table([], layout=layout, published=True)
    printed = printed_lines(render(table, "latex", document=True, siunitx=siunitx), tmp_path)
    first = printed.index(wanted[0])
    assert printed[first : first + len(wanted)] == wanted


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("style", ["brackets", "plus-minus"])
def test_siunitx_prints_measured_values(three: list[Path], style: str, transpose: bool, tmp_path: Path) -> None:
    """Catches a figure that siunitx does not take for a number, an interval that is lost, columns that do not fit."""
    table = make_table(three, layout="3", published=True, intervals=True, emphasis=True)
    options = {"siunitx": True, "document": True, "interval_style": style, "transpose": transpose}
    printed = " ".join(printed_lines(render(table, "latex", **options), tmp_path))
    values = [row.cells[2].value for row in table.sections[-1].rows]
    assert all(re.search(rf"\b{value} ?± ?1\.000" if style == "plus-minus" else value, printed) for value in values)
    assert style == "plus-minus" or printed.count("[1.000, 3.000]") == 3


@pytest.mark.parametrize(
    "options", [{}, {"interval_style": "plus-minus"}, {"siunitx": True, "interval_style": "plus-minus"}]
)
def test_every_metric_with_its_interval_fits_the_page(options: dict, make_run: MakeRun, tmp_path: Path) -> None:
    """Catches a table that runs off the paper on both sides, of which TeX says nothing."""
    keys = [metric.key for metric in METRICS.values()]
    means = {key: score(-12.345, -13.456, -11.234) for key in keys}
    table = make_table([make_run("a", means, model={"title": "A model with a long name"})], intervals=True)
    printed_lines(render(table, "latex", document=True, **options), tmp_path)
    subprocess.run(["pdftotext", "-bbox", "t.pdf", "t.html"], cwd=tmp_path, check=True)
    found = (tmp_path / "t.html").read_text(encoding="utf-8")
    width = float(re.search(r'<page width="([\d.]+)"', found)[1])
    edges = [tuple(map(float, pair)) for pair in re.findall(r'<word xMin="([-\d.]+)".*?xMax="([-\d.]+)"', found)]
    assert sum("12.345" in line for line in found.splitlines()) == len(keys)
    assert min(low for low, _ in edges) > 0
    assert max(high for _, high in edges) < width


def test_siunitx_keeps_a_half_width_of_zero_and_groups_no_digits(make_run: MakeRun, tmp_path: Path) -> None:
    """Catches ± 0 that vanishes, so that a known interval looks like an unknown one, and 12 345.678."""
    runs = [
        make_run("one", {"nss": score(0.5, 0.5, 0.5), "cc": score(12345.678, 12345.0, 12346.0)}),
        make_run("two", {"nss": score(0.25, 0.2, 0.3), "cc": score(1.0, 0.5, 1.5)}, model={"title": "Two"}),
    ]
    table = make_table(runs, layout="3", intervals=True)
    text = render(table, "latex", siunitx=True, document=True, interval_style="plus-minus")
    printed = " ".join(printed_lines(text, tmp_path))
    assert "0.500 ± 0.000" in printed
    assert "12345.678" in printed


@pytest.mark.parametrize("form", FORMATS)
def test_every_option_at_once(three: list[Path], form: str) -> None:
    """Catches options that exclude each other without saying so."""
    table = make_table(three, layout="plain", published=True, sort="nss", emphasis=True, digits=2)
    if form == "csv":
        with pytest.raises(UsageError, match="never transposed"):
            render(table, form, transpose=True)
        assert "nss:best" in render(table, form)
        return
    text = render(table, form, transpose=True, interval_style="plus-minus", document=form in {"latex", "html"})
    assert "SalGAN" in text
