"""The published figures, cell by cell, against an independent reading of the paper's text."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from salbench.metrics import MAP_METRICS, METRICS
from salbench.tables import Row, Section, Table, make_table
from salbench.tables.layouts import LAYOUTS
from salbench.tables.published import published_table

NAMES = [name for layout in ("2", "3", "4") for name in LAYOUTS[layout].published]
PRINTED_VALUE = re.compile(r"-|\d+\.\d+")
# The one cell that the paper prints against its own rule: 0.96 is a better KL than SalGAN's 1.07.
PAPERS_EXCEPTION = ("MIT300", "Deep Gaze II (*)", "KL", "(0.96)", "0.96")

Lines = list[list[str]]


@pytest.fixture(scope="module")
def paper(salbench_data: Path) -> list[str]:
    text = (salbench_data / "paper" / "salgan-2017.txt").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines()]


def paper_rows(paper: list[str], header: str, ending: str) -> Iterator[tuple[str, list[str]]]:
    """Label and values of the lines between a header line and the line that ends the table."""
    start = paper.index(header)
    end = next(i for i in range(start, len(paper)) if paper[i].startswith(ending))
    width = len(re.sub(r"[↑↓]", "", header.removeprefix("SALICON (test)").removeprefix("MIT300")).split())
    for line in filter(None, paper[start + 1 : end]):
        words = line.split()
        yield " ".join(words[:-width]), words[-width:]


def symbols(header: str) -> list[str]:
    return re.sub(r"[↑↓]", "", header).split()


def label_without_citation(label: str) -> str:
    return re.sub(r" \[\d+\](\(\*\))?", lambda match: f" {match[1]}" if match[1] else "", label)


def printed(row: Row) -> list[str]:
    return [cell.text for cell in row.cells]


@pytest.mark.data
@pytest.mark.parametrize(
    ("layout", "header"),
    [("2", "sAUC ↑ AUC-B ↑ NSS ↑ CC ↑ IG ↑"), ("3", "sAUC ↑ AUC-B ↑ NSS ↑ CC ↑ IG")],
)
def test_tables_2_and_3_hold_the_papers_cells(paper: list[str], layout: str, header: str) -> None:
    """Catches a wrong digit, a dropped zero, a swapped column, a missing or reordered row."""
    table = make_table([], layout=layout, published=True)
    assert [column.symbol for column in table.columns] == symbols(header)
    assert [(row.label, printed(row)) for row in table.sections[0].rows] == list(
        paper_rows(paper, header, f"Table {layout}:")
    )


@pytest.mark.data
def test_table_4_differs_from_the_print_in_the_documented_cell_only(paper: list[str]) -> None:
    """Catches any cell, digit, bracket or (*) that is not as printed, and a second or a vanished exception."""
    table = make_table([], layout="4", published=True)
    heads = [line for line in paper if line.startswith(("SALICON (test) AUC-J", "MIT300 AUC-J"))]
    endings = [heads[1], "Table 4:"]
    differences = []
    for section, head, ending in zip(table.sections, heads, endings, strict=True):
        assert head.startswith(section.title)
        differences += list(compare(section, table, paper_rows(paper, head, ending)))
    assert differences == [PAPERS_EXCEPTION]


def compare(section: Section, table: Table, rows: Iterator[tuple[str, list[str]]]) -> Iterator[tuple[str, ...]]:
    for row, (label, values) in zip(section.rows, rows, strict=True):
        if row.label != label_without_citation(label):
            yield section.title, row.label, "name", label, row.label
        for column, value, cell in zip(table.columns, values, row.cells, strict=True):
            if cell.text != value:
                yield section.title, row.label, column.symbol, value, cell.text


@pytest.mark.data
def test_table_4_has_the_papers_columns_and_citations(paper: list[str]) -> None:
    """Catches a column out of the paper's order, an arrow the wrong way, a citation of another text."""
    head = next(line for line in paper if line.startswith("MIT300 AUC-J"))
    table = make_table([], layout="4", published=True)
    assert " ".join(column.heading for column in table.columns) == head.removeprefix("MIT300 ")
    rows = published_table("salgan-2017-table4").sections[1].rows
    labels = [label for label, _ in paper_rows(paper, head, "Table 4:")]
    assert [row.citation for row in rows] == ["".join(re.findall(r"\[\d+\]", label)) for label in labels]


@pytest.mark.parametrize("name", NAMES)
def test_published_data_is_well_formed(name: str) -> None:
    """Catches a typed-in bracket, a value that is no number, a row of no section, a key used twice or unknown."""
    table = published_table(name)
    assert set(table.metrics) <= set(METRICS)
    for section in table.sections:
        assert section.rows
        assert len({row.key for row in section.rows}) == len(section.rows)
        assert all(PRINTED_VALUE.fullmatch(value) for row in section.rows for value in row.values.values())


def test_every_published_row_reaches_the_table() -> None:
    """Catches a row whose section is misspelt and which would vanish without a word."""
    counts = {name: sum(len(section.rows) for section in published_table(name).sections) for name in NAMES}
    assert list(counts.values()) == [4, 4, 16]


def test_digits_stay_as_published() -> None:
    """Catches a round trip through float, which makes 1.00 and 1.0 the same."""
    humans = make_table([], layout="4", published=True).sections[1].rows[0]
    assert humans.model == "Humans"
    assert [cell.value for cell in humans.cells] == ["0.92", "1.00", "0.00", "0.88", "0.81", "1.0", "3.29", "0.00"]


def test_the_exception_is_noted_and_not_forced() -> None:
    """Catches a bracket forced around the paper's 0.96, and a table that is silent about the difference."""
    table = make_table([], layout="4", published=True)
    deep_gaze = next(row for row in table.sections[1].rows if row.key == "deep-gaze-ii")
    assert deep_gaze.cells[-1].text == "0.96"
    assert sum("0.96" in note and "1.07" in note for note in table.notes) == 1


def test_the_exception_is_not_noted_against_another_reference() -> None:
    """Catches a note about SalGAN's brackets under brackets that compare with another row."""
    table = make_table([], layout="4", published=True, reference="dsclrcn")
    assert not any("0.96" in note for note in table.notes)
    assert any(note.startswith("Brackets: worse than DSCLRCN") for note in table.notes)


@pytest.mark.parametrize("layout", ["2", "3"])
def test_what_the_paper_leaves_open_is_said(layout: str) -> None:
    """Catches Tables 2 and 3 without the warning that protocol and IG baseline are not known."""
    notes = " ".join(make_table([], layout=layout, published=True).notes)
    assert "neither the protocol nor the IG baseline" in notes
    assert "2015 edition" in notes


def test_table_4_gives_the_leaderboards_date_and_explains_its_signs() -> None:
    """Catches figures without date, brackets or (*) without explanation."""
    notes = make_table([], layout="4", published=True).notes
    assert any("2016-11-10" in note for note in notes)
    assert any(note.startswith("Brackets: worse than SalGAN") for note in notes)
    assert any(note.startswith("(*)") for note in notes)


def test_plain_prints_all_published_tables() -> None:
    """Catches a plain table that loses a table or mixes sections of the same title."""
    table = make_table([], layout="plain", published=True)
    assert [len(section.rows) for section in table.sections] == [4, 4, 4, 12]
    assert [re.findall(r"Table (\d)", section.title) for section in table.sections] == [["2"], ["3"], ["4"], ["4"]]
    assert [column.key for column in table.columns] == list(MAP_METRICS)
    assert not any(cell.bracketed for section in table.sections for row in section.rows for cell in row.cells)
