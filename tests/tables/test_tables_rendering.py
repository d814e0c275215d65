"""Every format prints the same table, and no text of a run can break out of its cell."""

import csv
import io
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from run_folders import MakeRun, score

from salbench.metrics import METRICS
from salbench.tables import FORMATS, Table, make_table, render
from salbench.tables.latex_text import to_tex
from salbench.tables.to_csv import safe_text

NASTY = (
    r"""<script>alert("x & y")</script> | a\|b \input{x} 100% $x_1^2$ #1 ~ `rm` *b* [c](d) {e} '' -- ?` << >> <!--"""
)
TITLES = [
    NASTY,
    "[1em] begins like an argument",
    "* begins like a star",
    "\\",
    "é ñ ü ş ő Ł ß ế \N{GREEK SMALL LETTER ALPHA}→Ω “quoted” \N{EN DASH} ±2° 中文",
    "\N{GRINNING FACE} \N{COMBINING ACUTE ACCENT}",
    "two\nlines\r\n\tand a \0 null, \N{RIGHT-TO-LEFT OVERRIDE}reordered \ud800",
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\N{FULLWIDTH EQUALS SIGN}1+1",
]


@pytest.fixture
def nasty(make_run: MakeRun) -> Table:
    """A plain table of runs whose every text is hostile, with negative, undefined and interval-bearing values."""
    runs = [
        make_run(
            f"run{i}",
            {"nss": score(-1.5, -1.75, -1.25), "cc": None, "kl_divergence": 0.5},
            model={"key": f"m{i}", "title": title, "uses_ground_truth": True},
            dataset={"title": NASTY},
            protocol={"label": NASTY, "blur": NASTY},
        )
        for i, title in enumerate(TITLES)
    ]
    return make_table(runs, layout="plain", published=True)


def tables(make_run: MakeRun) -> list[Table]:
    runs = [
        make_run("one", dict.fromkeys(METRICS, 0.5)),
        make_run("two", {"nss": -0.25, "cc": None}, model={"key": "centre", "title": "Centre"}),
    ]
    return [
        make_table(paths, layout=layout, published=published, intervals=intervals, emphasis=emphasis)
        for layout in ("plain", "2", "3", "4")
        for paths, published in ((runs, True), (runs, False), ([], True))
        for intervals, emphasis in ((None, False), (True, True))
    ]


# HTML


class Cells(HTMLParser):
    """The texts of a table's cells, row by row; fails on an element that the renderer does not write."""

    allowed = frozenset(
        (
            "figure",
            "table",
            "caption",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "small",
            "figcaption",
            "ul",
            "li",
            "strong",
            "u",
        )
    )

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.notes: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        assert tag in self.allowed
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag == "li":
            self.notes.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data
        elif "li" in self.open:
            self.notes[-1] += data


def parse_html(text: str) -> Cells:
    parser = Cells()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser


def expected_rows(table: Table) -> list[list[str]]:
    """As a reader sees it: the paper's layouts repeat the headings, and Table 4's parts are headed by their names."""
    headings = [*(column.heading for column in table.columns), *(["n"] if table.counts else [])]
    rows = [] if table.layout in {"2", "3", "4"} else [["Model", *headings]]
    for section in table.sections:
        if table.layout in {"2", "3", "4"} and section.source == "published":
            rows.append([section.title if table.layout == "4" else "", *headings])
        elif table.layout in {"2", "3", "4"}:
            rows += [[section.title], ["Model", *headings]]
        else:
            rows.append([section.title])
        for row in section.rows:
            cells = [f"{cell.text} {cell.interval_text()}".strip() for cell in row.cells]
            count = ["" if row.n is None else str(row.n)] if table.counts else []
            rows.append([row.label, *cells, *count])
    return rows


def test_html_is_well_formed_and_holds_every_cell_and_note(make_run: MakeRun) -> None:
    """Catches a lost cell, a broken nesting, a section or note that one layout forgets."""
    for table in tables(make_run):
        parsed = parse_html(render(table, "html"))
        assert parsed.rows == expected_rows(table)
        assert parsed.notes == list(table.notes)


def test_html_escapes_hostile_text(nasty: Table) -> None:
    """Catches a title that becomes an element, a comment or an entity."""
    parsed = parse_html(render(nasty, "html"))
    assert parsed.rows == expected_rows(nasty)
    assert f"{NASTY} †" in [row[0] for row in parsed.rows]


# Markdown


def split_pipes(line: str) -> list[str]:
    """The cells of a pipe table's line, as GitHub splits and unescapes them."""
    cells = re.findall(r"((?:\\.|[^|\\])*)\|", line)[1:]
    return [re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", cell.strip()) for cell in cells]


def test_markdown_tables_are_aligned_and_hold_every_cell(make_run: MakeRun) -> None:
    """Catches ragged columns, a lost cell, a header without its rule."""
    for table in tables(make_run):
        blocks = [block.splitlines() for block in render(table, "markdown").split("\n\n") if block.startswith("|")]
        assert len(blocks) == len(table.sections)
        for block in blocks:
            assert len({len(line) for line in block}) == 1
            assert re.fullmatch(r"\| -+ (\| -+: )+\|", block[1])
        lines = [split_pipes(line) for block in blocks for line in (block[0], *block[2:])]
        width = len(lines[0])
        wanted = [row for row in expected_rows(table) if len(row) == width and row[0] != "Model"]
        plain = [[re.sub(r"\*\*|</?u>", "", cell) for cell in line] for line in lines]
        assert [line for line in plain if line[0] != "Model"] == wanted


def test_markdown_escapes_hostile_text(nasty: Table) -> None:
    """Catches a pipe that makes a column, a line break that ends the table, markup or HTML that works."""
    text = render(nasty, "markdown")
    width = len(nasty.columns) + 2
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert {len(split_pipes(line)) for line in block.splitlines()} == {width}
    assert not re.search(r"(?<!\\)[<`\[$&~]", re.sub(r"\[-?\d[\d., -]*\]|\\\\", "", text))


# CSV


def test_csv_is_read_by_pandas_without_arguments(make_run: MakeRun) -> None:
    """Catches notes among the rows, rows of different length, two columns of one name."""
    for table in tables(make_run):
        text = render(table, "csv")
        frame = pd.read_csv(io.StringIO(text))
        assert len(frame) == sum(len(section.rows) for section in table.sections)
        assert list(frame["model"]) == [row.model for section in table.sections for row in section.rows]
        assert len(set(text.splitlines()[0].split(","))) == len(frame.columns)


def test_csv_keeps_published_strings_and_names_brackets(make_run: MakeRun) -> None:
    """Catches 1.00 that turned into 1.0, brackets inside a number, a lost flag."""
    rows = list(csv.DictReader(io.StringIO(render(make_table([], layout="4", published=True), "csv"))))
    humans, deep_gaze = rows[4], rows[5]
    assert (humans["sim"], humans["cc"], humans["emd"]) == ("1.00", "1.0", "0.00")
    assert deep_gaze["bracketed"] == "sim;emd;cc;nss"
    assert deep_gaze["flags"] == "not-peer-reviewed"
    assert rows[0]["auc_judd"] == "-"


def test_csv_keeps_intervals_and_counts_as_columns(make_run: MakeRun) -> None:
    """Catches an interval that a program would have to cut out of a text."""
    run = make_run("run", {"nss": score(-1.5, -1.75, -1.25, n=299)}, errors=1)
    (row,) = csv.DictReader(io.StringIO(render(make_table([run]), "csv")))
    assert (row["nss"], row["nss_ci_low"], row["nss_ci_high"], row["nss_n"]) == ("-1.500", "-1.750", "-1.250", "299")
    assert (row["n"], row["errors"], row["source"], row["protocol"]) == ("300", "1", "measured", "mit300")


def test_csv_texts_are_no_formulas_and_numbers_stay(nasty: Table) -> None:
    """Catches a title that a spreadsheet would execute, and a negative number or a dash that was mistaken for one."""
    rows = [row for row in csv.DictReader(io.StringIO(render(nasty, "csv"))) if row["source"] == "measured"]
    titles = [row["model"] for row in rows]
    assert titles[7:] == [f"'{title}" for title in TITLES[7:]]
    assert titles[0] == NASTY
    assert {(row["nss"], row["cc"]) for row in rows} == {("-1.500", "-")}


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", " =1", "-"])
def test_formula_starts_are_defused(text: str) -> None:
    """Catches a start that is not in the list, or one that hides behind a blank."""
    assert safe_text(text) == f"'{text}"
    assert safe_text(f"a{text}") == f"a{text}"


# LaTeX


def compile_latex(body: str, folder: Path) -> str:
    """Compile in a plain article with booktabs and graphicx alone; the log."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed (Debian: texlive-latex-base, texlive-latex-recommended)")
    document = (
        f"\\documentclass{{article}}\n\\usepackage{{booktabs,graphicx}}\n\\begin{{document}}\n{body}\\end{{document}}\n"
    )
    (folder / "t.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"]
    environment = {**os.environ, "max_print_line": "10000"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log
    assert "Missing character" not in (folder / "t.log").read_text(encoding="utf-8", errors="replace")
    return log


def test_latex_of_every_layout_compiles(make_run: MakeRun, tmp_path: Path) -> None:
    """Catches a template that LaTeX does not take, or a table too wide to be centred."""
    body = "\\clearpage\n".join(render(table, "latex") for table in tables(make_run))
    body = re.sub(r"\\label\{.*?\}", "", body)  # one document holds several tables of a layout
    assert "Overfull \\hbox" not in compile_latex(body, tmp_path)


def test_latex_of_hostile_text_compiles(nasty: Table, tmp_path: Path) -> None:
    """Catches a title that runs a command, opens a group, comments a line out or takes a row's end for its own."""
    compile_latex(render(nasty, "latex"), tmp_path)


def test_latex_prints_every_ascii_character_as_it_is(tmp_path: Path) -> None:
    """Catches a character that TeX joins or takes for another: <, >, |, --, '', or a quotation mark."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed (Debian: poppler-utils)")
    characters = r"""a<b>c|d~e^f\g{h}i$j&k#l%mn[o]p*q--r''s,,t@u=v+w;x:y?z!(A)/B"""
    compile_latex(f"\\noindent {to_tex(characters)}\n", tmp_path)
    subprocess.run(["pdftotext", "t.pdf"], cwd=tmp_path, check=True)
    text = (tmp_path / "t.txt").read_text(encoding="utf-8").splitlines()[0]
    # The fonts draw these as their typographic kin; an underscore is a rule, which no text holds.
    kin = {0x2019: "'", 0x2217: "*", 0x223C: "~", 0x02DC: "~", 0x02C6: "^"}
    assert text.translate(kin) == characters


def test_latex_is_ascii_with_arrows_and_signs(make_run: MakeRun) -> None:
    """Catches characters that only some engines know, a hyphen for a minus, brackets or rules lost."""
    run = make_run("run", {"nss": -0.25, "emd": 1.0})
    text = render(make_table([run], layout="4", published=True), "latex")
    assert text.isascii()
    assert r"SALICON (test) & AUC-J $\uparrow$ & Sim $\uparrow$ & EMD $\downarrow$" in text
    assert "& $-$0.25 &" in text
    assert "& - & (0.866)" in text.replace("- & - & -", "-")
    assert all(text.count(rf"\{rule}") == 1 for rule in ("toprule", "bottomrule"))


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("é", r"\'{e}"),
        ("ế", r"\'{\^{e}}"),
        ("中", "{[}U+4E2D]"),
        ("\N{GREEK SMALL LETTER ALPHA}", r"$\alpha$"),
        ("--", "-{}-"),
        ("[x]", "{[}x]"),
        ("SalGAN (*)", "SalGAN ({*})"),
        ("a-b", "a-b"),
    ],
)
def test_latex_text(text: str, tex: str) -> None:
    """Catches an accent, a ligature or an argument bracket that is not taken care of."""
    assert to_tex(text) == tex


# All


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_text_can_be_written(nasty: Table, form: str, tmp_path: Path) -> None:
    """Catches lone surrogates, null characters and marks that reorder text, in any output."""
    text = render(nasty, form)
    (tmp_path / "out").write_text(text, encoding="utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize("form", FORMATS)
def test_text_ends_with_one_line_break(form: str) -> None:
    """Catches a file without, or with two, final line breaks."""
    text = render(make_table([], layout="3", published=True), form)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
