"""Measured runs in tables: sections, digits, brackets, marks and notes."""

import re
from pathlib import Path

import pytest
from run_folders import MakeRun, score

from salbench.errors import UsageError
from salbench.metrics import METRICS
from salbench.tables import FORMATS, Table, make_table, render


def values(table: Table, section: int = -1, row: int = 0) -> dict[str, str]:
    cells = table.sections[section].rows[row].cells
    return {column.key: cell.text for column, cell in zip(table.columns, cells, strict=True)}


def test_plain_has_the_runs_metrics_in_the_registrys_order_with_intervals(make_run: MakeRun) -> None:
    """Catches columns in file order, a column nobody measured, a lost interval."""
    one = make_run("one", {"nss": score(1.7, 1.6004, 1.8), "auc_judd": 0.85})
    two = make_run("two", {"kl_divergence": 0.5}, model={"key": "centre", "title": "Centre"})
    table = make_table([one, two], layout="plain")
    assert [column.key for column in table.columns] == [
        key for key in METRICS if key in {"nss", "auc_judd", "kl_divergence"}
    ]
    assert [row.model for row in table.sections[0].rows] == ["SalGAN", "Centre"]
    nss = table.sections[0].rows[0].cells[1]
    assert (nss.value, nss.interval, nss.n) == ("1.700", ("1.600", "1.800"), 300)
    assert "1.700 [1.600, 1.800]" in render(table, "markdown")
    assert "| 300 |" in render(table, "markdown")


def test_a_metric_that_salbench_does_not_know_is_printed_last(make_run: MakeRun) -> None:
    """Catches a protocol's further key (log_likelihood) that is dropped, or given a direction nobody stated."""
    run = make_run("run", {"a_log_likelihood": 1.25, "nss": 1.0})
    table = make_table([run])
    assert [column.heading for column in table.columns] == ["NSS ↑", "a_log_likelihood"]


@pytest.mark.parametrize(("layout", "printed"), [("2", "1.235"), ("3", "1.235"), ("4", "1.23"), ("plain", "1.235")])
def test_measured_values_have_the_layouts_digits(make_run: MakeRun, layout: str, printed: str) -> None:
    """Catches digits that differ from the paper's in that table."""
    assert values(make_table([make_run("run", {"nss": 1.23456})], layout=layout))["nss"] == printed


@pytest.mark.parametrize(
    ("value", "printed"), [(-0.0004, "0.000"), (-0.0006, "-0.001"), (0.9996, "1.000"), (None, "-"), (3, "3.000")]
)
def test_rounding_and_undefined_values(make_run: MakeRun, value: float | None, printed: str) -> None:
    """Catches -0.000, None or nan in print, and a whole number without decimals."""
    assert values(make_table([make_run("run", {"nss": value})], layout="3"))["nss"] == printed


def test_a_metric_without_value_is_a_dash_in_every_format(make_run: MakeRun) -> None:
    """Catches `None`, `nan` or an empty cell for an undefined mean or a metric that was not computed."""
    table = make_table([make_run("run", {"nss": None, "cc": 0.5})], layout="3")
    assert values(table) == {"auc_shuffled": "-", "auc_borji": "-", "nss": "-", "cc": "0.500", "information_gain": "-"}
    for form in FORMATS:
        assert not re.search(r"\b(None|nan|null)\b", render(table, form), re.IGNORECASE)


def test_an_interval_needs_both_ends(make_run: MakeRun) -> None:
    """Catches [-, 1.8] in print where a bootstrap gave no interval."""
    table = make_table([make_run("run", {"nss": score(1.7, None, 1.8)})])
    assert table.sections[0].rows[0].cells[0].interval is None


# Brackets


def test_brackets_are_derived_with_ties_and_directions(make_run: MakeRun) -> None:
    """Catches a bracket on a tie at the printed digits, on a better value, or the wrong way for EMD and KL."""
    reference = make_run("reference", {"auc_judd": 0.861, "nss": 2.0, "emd": 2.0, "kl_divergence": 1.0, "cc": None})
    other = make_run(
        "other",
        {"auc_judd": 0.858, "nss": 1.9, "emd": 2.1, "kl_divergence": 0.9, "cc": 0.1, "sim": 0.2},
        model={"key": "other", "title": "Other"},
    )
    row = values(make_table([reference, other], layout="4"), row=1)
    assert {key: row[key] for key in ("auc_judd", "nss", "emd", "kl_divergence", "cc", "sim", "auc_borji")} == {
        "auc_judd": "0.86",  # 0.858 < 0.861, but both print as 0.86
        "nss": "(1.90)",
        "emd": "(2.10)",
        "kl_divergence": "0.90",
        "cc": "0.10",  # the reference is undefined
        "sim": "0.20",  # the reference has no such value
        "auc_borji": "-",
    }


def test_numbers_compare_as_numbers_not_as_text(make_run: MakeRun) -> None:
    """Catches a comparison of strings, for which 10.00 is less than 9.00 and -0.10 more than 0.05."""
    one = make_run("one", {"emd": 9, "nss": 0.05})
    two = make_run("two", {"emd": 10, "nss": -0.1}, model={"key": "two"})
    row = values(make_table([one, two], layout="4"), row=1)
    assert (row["emd"], row["nss"]) == ("(10.00)", "(-0.10)")


def test_each_section_compares_with_its_own_reference(make_run: MakeRun) -> None:
    """Catches a measured row that is bracketed by the published reference."""
    run = make_run("run", {"nss": 1.0}, model={"key": "centre", "title": "Centre"})
    table = make_table([run], layout="4", published=True)
    assert values(table)["nss"] == "1.00"
    title = table.sections[-1].title
    assert f"{title}: no brackets, the section has no row of the reference 'salgan'." in table.notes


@pytest.mark.parametrize("name", ["centre", "Centre Prior", "CENTRE PRIOR"])
def test_the_reference_is_a_key_or_a_name(make_run: MakeRun, name: str) -> None:
    """Catches a reference found by key only, or only in its exact case."""
    one = make_run("one", {"nss": 1.0})
    two = make_run("two", {"nss": 2.0}, model={"key": "centre", "title": "Centre Prior"})
    assert values(make_table([one, two], layout="4", reference=name))["nss"] == "(1.00)"


def test_two_rows_of_the_reference_are_said(make_run: MakeRun) -> None:
    """Catches a silent choice between two runs of the reference model."""
    runs = [
        make_run("one", {"nss": 2.0}, model={"title": "BCE"}),
        make_run("two", {"nss": 1.0, "kl_divergence": 0.5}, model={"title": "GAN"}),
    ]
    for sort in (None, "kl_divergence"):
        table = make_table(runs, layout="4", sort=sort)
        by_name = {row.model: row.cells[-2].text for row in table.sections[0].rows}
        assert by_name == {"BCE": "2.00", "GAN": "(1.00)"}
        assert any("several rows have the key salgan; brackets compare with BCE" in note for note in table.notes)


# Sections


def test_published_and_measured_rows_never_share_a_section(make_run: MakeRun) -> None:
    """Catches a measured row slipped in among the paper's, or not named as measured, with data set and protocol."""
    table = make_table([make_run("run", {"nss": 1.0})], layout="4", published=True)
    assert [section.source for section in table.sections] == ["published", "published", "measured"]
    assert table.sections[-1].title == "Measured: OSIE (eye tracking) (osie-eye/test), protocol MIT300"
    assert any("compare within a section only" in note for note in table.notes)


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": {"key": "toronto", "title": "Toronto"}},
        {"dataset": {"split": "val"}},
        {"protocol": {"key": "salicon2015", "label": "SALICON 2015"}},
        {"protocol": {"blur": "sigma 24 px"}},
    ],
    ids=["data set", "split", "protocol", "blur"],
)
def test_what_does_not_compare_has_sections_of_its_own(make_run: MakeRun, changes: dict[str, dict[str, str]]) -> None:
    """Catches figures of another data set, split, protocol or ground-truth blur in one section, or two like titles."""
    table = make_table([make_run("one", {"nss": 1.0}), make_run("two", {"nss": 1.0}, **changes)])
    titles = [section.title for section in table.sections]
    assert len(set(titles)) == 2
    assert sum(note.startswith(tuple(titles)) and "n = 300" in note for note in table.notes) == 2
    assert any("compare within a section only" in note for note in table.notes)


A, B = "a1" * 32, "b2" * 32
TITLE = "Measured: OSIE (eye tracking) (osie-eye/test), protocol MIT300"


@pytest.mark.parametrize(
    ("one", "two", "ends", "said"),
    [
        ({"fixations": A}, {"fixations": B}, ("fixations a1a1a1a1", "fixations b2b2b2b2"), "different fixations"),
        ({"fixations": A}, {}, ("fixations a1a1a1a1", "fixations not recorded"), "different or unrecorded fixations"),
        (
            {"fixations": A, "maps": A},
            {"fixations": A, "maps": B},
            ("maps a1a1a1a1", "maps b2b2b2b2"),
            "different ground-truth maps",
        ),
        (
            {"fixations": A, "maps": A},
            {"fixations": A, "maps": None},
            ("maps a1a1a1a1", "maps not recorded"),
            "different or unrecorded ground-truth maps",
        ),
    ],
    ids=["fixations", "no fixations", "maps", "no maps"],
)
def test_runs_on_different_ground_truth_never_share_a_section(
    make_run: MakeRun, one: dict[str, str], two: dict[str, str], ends: tuple[str, str], said: str
) -> None:
    """Catches runs on two data folders of one name that are compared, brackets across them, or two like titles."""
    first, second = make_run("one", {"nss": 2.0}, inputs=one), make_run("two", {"nss": 1.0}, inputs=two)
    table = make_table([first, second], layout="4")
    assert [section.title for section in table.sections] == [f"{TITLE}, {end}" for end in ends]
    assert "(1.00)" not in render(table, "markdown")
    digests = ", ".join(end.split(" ", 1)[1] for end in ends)
    assert f"osie-eye/test: sections were measured on {said} ({digests}): their values do not compare." in table.notes


def test_runs_on_the_same_ground_truth_share_a_section_without_digests(make_run: MakeRun) -> None:
    """Catches digests of the model's own inputs, its maps or weights, that keep comparable runs apart."""
    runs = [
        make_run(name, {"nss": 1.0}, model={"key": name}, inputs={"fixations": A, "maps": B, "predictions": name})
        for name in ("one", "two")
    ]
    table = make_table(runs)
    assert [section.title for section in table.sections] == [TITLE]
    assert not any("different" in note for note in table.notes)


def test_digests_stand_in_titles_that_differ_anyway(make_run: MakeRun) -> None:
    """Catches a note on two sets of fixations that leaves open which section was measured on which."""
    one = make_run("one", {"nss": 1.0}, inputs={"fixations": A})
    two = make_run("two", {"nss": 1.0}, inputs={"fixations": B}, dataset={"title": "My OSIE"})
    three = make_run("three", {"nss": 1.0}, inputs={"fixations": B}, dataset={"key": "other"})
    titles = [section.title for section in make_table([one, two, three]).sections]
    assert ["a1a1a1a1" in title for title in titles] == [True, False, False]
    assert ["b2b2b2b2" in title for title in titles] == [False, True, False]


def test_no_two_sections_have_the_same_title(make_run: MakeRun) -> None:
    """Catches like titles where digests differ past the printed letters, or protocols in nothing that is printed."""
    runs = [
        make_run("one", {"nss": 1.0}, inputs={"fixations": A}),
        make_run("two", {"nss": 1.0}, inputs={"fixations": A[:-1] + "0"}),
        make_run("three", {"nss": 1.0}, inputs={"fixations": A}, protocol={"seed": None}),
        make_run("four", {"nss": 1.0}, inputs={"fixations": A}, protocol={"key": "mine"}),
    ]
    titles = [section.title for section in make_table(runs).sections]
    assert len(set(titles)) == 4


BASELINE = "centre prior: blurred fixations of all other images of the split"


def test_the_ig_baseline_is_noted_where_ig_is_printed(make_run: MakeRun) -> None:
    """Catches IG without its baseline, or the bare key ig_baseline in print."""
    run = make_run("run", {"information_gain": 0.5, "nss": 1.0}, protocol={"ig_baseline": BASELINE})
    for layout in ("plain", "2", "3"):
        table = make_table([run], layout=layout)
        assert any(f"; IG baseline: {BASELINE}; n = 300" in note for note in table.notes)
        assert "ig_baseline" not in render(table, "markdown")


def test_the_ig_baseline_is_not_said_where_ig_is_not_printed(make_run: MakeRun) -> None:
    """Catches a note on a column that is not there, and old and new runs kept apart by what no column shows."""
    old = make_run("old", {"nss": 1.0})
    new = make_run("new", {"nss": 1.0}, protocol={"ig_baseline": BASELINE})
    full = make_run("full", {"information_gain": 0.5, "nss": 1.0}, protocol={"ig_baseline": BASELINE})
    for runs, layout in (([old, new], "plain"), ([old, new], "2"), ([old, full], "4")):
        table = make_table(runs, layout=layout)
        assert [section.title for section in table.sections] == [TITLE]
        assert not any("baseline" in note for note in table.notes)


@pytest.mark.parametrize("other", [{}, {"ig_baseline": None}, {"ig_baseline": ""}, {"ig_baseline": "uniform"}])
def test_runs_with_another_or_no_ig_baseline(make_run: MakeRun, other: dict[str, str | None]) -> None:
    """Catches a crash on older runs, and IG against one baseline compared with IG against another."""
    new = make_run("new", {"information_gain": 0.5}, protocol={"ig_baseline": BASELINE})
    old = make_run("old", {"information_gain": 0.9}, protocol=other)
    baselines = (BASELINE, other.get("ig_baseline") or "not recorded")
    table = make_table([new, old])
    assert [section.title for section in table.sections] == [
        f"{TITLE}, blur: 8 cycles per image, IG baseline: {baseline}" for baseline in baselines
    ]


def test_protocol_settings_and_version_are_noted(make_run: MakeRun) -> None:
    """Catches a table that does not say by which protocol, blur and version its figures came about."""
    notes = make_table([make_run("run", {"nss": 1.0}, version="9.8.7")]).notes
    assert any(
        "protocol MIT300: blur: 8 cycles per image; n = 300 stimuli; measured with salbench 9.8.7." in n for n in notes
    )


# Marks and counts


@pytest.mark.parametrize(
    ("model", "label"),
    [
        ({}, "SalGAN"),
        ({"uses_ground_truth": True}, "SalGAN †"),
        ({"trained_on": ["osie-eye/test"]}, "SalGAN ‡"),
        ({"trained_on": ["osie-eye"]}, "SalGAN ‡"),
        ({"trained_on": ["other/train", "osie-eye/train"]}, "SalGAN §"),
        ({"trained_on": ["osie-eye-2/test"]}, "SalGAN"),
        ({"trained_on": ["osie-eye/train", "osie-eye/test"], "uses_ground_truth": True}, "SalGAN † ‡"),
    ],
)
def test_marks(make_run: MakeRun, model: dict[str, object], label: str) -> None:
    """Catches a cheating model without its mark, a mark without its note, or a mark for a mere like-named data set."""
    table = make_table([make_run("run", {"nss": 1.0}, model=model)])
    assert table.sections[0].rows[0].label == label
    for symbol in label.removeprefix("SalGAN").split():
        assert any(note.startswith(f"{symbol}:") for note in table.notes)


def test_counts_that_differ_are_noted(make_run: MakeRun) -> None:
    """Catches a mean over fewer stimuli that looks like the others; columns that are not printed do not count."""
    run = make_run("run", {"nss": score(1.0, n=298), "cc": 0.5, "auc_judd": score(0.8, n=7)})
    table = make_table([run], layout="3")
    assert any("SalGAN has fewer values in some columns: NSS n = 298 instead of 300." in note for note in table.notes)
    assert not any("n = 7" in note for note in table.notes)


def test_rows_of_different_size_are_noted(make_run: MakeRun) -> None:
    """Catches a run over a part of the split among complete ones."""
    part = make_run("part", {"nss": 1.0}, n=20, model={"key": "part", "title": "Part"})
    notes = " ".join(make_table([make_run("all", {"nss": 1.0}), part]).notes)
    assert "SalGAN n = 300, Part n = 20" in notes


def test_errors_are_noted(make_run: MakeRun) -> None:
    """Catches a run that lost stimuli and does not say so."""
    notes = " ".join(make_table([make_run("run", {"nss": 1.0}, errors=3)], layout="4").notes)
    assert "SalGAN lost stimuli to errors, which its means leave out: 3." in notes
    assert "lost" not in " ".join(make_table([make_run("clean", {"nss": 1.0})], layout="4").notes)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("layout", ["plain", "2", "3", "4"])
def test_no_table_prints_a_bare_auc(make_run: MakeRun, layout: str, form: str) -> None:
    """Catches an AUC that does not say which."""
    run = make_run("run", dict.fromkeys(METRICS, 0.5))
    text = render(make_table([run], layout=layout, published=True), form)
    assert re.search(r"AUC", text, re.IGNORECASE)
    assert not re.search(r"(?<!s)AUC(?!-[JB])", text)
    assert not re.search(r"auc(?!_judd|_borji|_shuffled)", text)


# Requests that make no sense


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layout": "5", "published": True}, "unknown layout '5'.*plain, 2, 3, 4"),
        ({"layout": "4"}, "nothing to print"),
        ({"layout": "plain"}, "nothing to print"),
        ({"layout": "4", "published": True, "reference": "salgam"}, "unknown reference 'salgam'. Did you mean salgan"),
        ({"layout": "2", "published": True, "reference": "bce"}, "layout 2 has no brackets"),
    ],
)
def test_requests_that_make_no_sense(options: dict[str, object], words: str) -> None:
    """Catches an empty table, a traceback, or an option that is ignored without a word."""
    with pytest.raises(UsageError, match=words) as caught:
        make_table([], **options)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2


def test_an_unknown_format_is_refused() -> None:
    """Catches a KeyError in the user's face."""
    with pytest.raises(UsageError, match=r"unknown format 'markdwon'\. Did you mean markdown"):
        render(make_table([], layout="2", published=True), "markdwon")


def test_a_run_given_twice_is_refused(make_run: MakeRun) -> None:
    """Catches one run as two rows, as if it had been repeated."""
    run = make_run("run", {"nss": 1.0})
    with pytest.raises(UsageError, match="given twice"):
        make_table([run, run / ".." / run.name])


def test_the_default_reference_is_lenient(make_run: MakeRun) -> None:
    """Catches layout 4 refusing runs that hold no SalGAN."""
    table = make_table([make_run("run", {"nss": 1.0}, model={"key": "centre", "title": "Centre"})], layout="4")
    assert len(table.sections) == 1


def test_paths_are_not_printed(make_run: MakeRun, tmp_path: Path) -> None:
    """Catches the folder of a user's machine in a table to be published."""
    table = make_table([make_run("run", {"nss": 1.0})])
    assert not any(str(tmp_path) in render(table, form) for form in FORMATS)


def test_intervals_can_be_asked_for_and_left_out(make_run: MakeRun) -> None:
    """Catches an option that only the layout decides: the paper's layouts have none, `plain` has them."""
    run = make_run("run", {"nss": score(1.7, 1.6004, 1.8)})
    assert "1.700 [1.600, 1.800]" in render(make_table([run], layout="3", intervals=True), "markdown")
    assert "[1.600" not in render(make_table([run], layout="3"), "markdown")
    assert "[1.600" not in render(make_table([run], layout="plain", intervals=False), "markdown")
