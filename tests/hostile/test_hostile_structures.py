"""Well-formed files with wrong content: another type, or nothing, at every place of what a reader expects."""

import copy
import csv
import io
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import readers
import scipy.io
from hypothesis import example, given
from hypothesis import strategies as st

from salbench.datasets import cat2000, dut_omron, figrim, folder, osie, salicon, salicon_mat, toronto
from salbench.errors import RunError, SalbenchError, UsageError
from salbench.result_file import ResultFile
from salbench.scoring.run_folder import open_run

GONE = object()
"""In the place of a value that is left out."""

VALUES = st.one_of(
    st.sampled_from([GONE, None, True, 0, -1, 10**400, 1e308, float("nan"), float("inf"), "", "=1+1", "\0", "../x"]),
    st.sampled_from(["<script>", "\ud800", [], {}, [[]], [{}], {"": ""}, [1, "x"], [[1, 2], [3]], [[[1, 2]]]]),
    st.integers(),
    st.text(max_size=5),
)


def places(content: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in nested lists and objects, the whole first."""
    found = [at]
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inside:
        found += places(value, (*at, key))
    return found


def changed(content: Any, at: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value, or none, at a place."""
    if not at:
        return None if value is GONE else value
    content = copy.deepcopy(content)
    inner = content
    for key in at[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return content


def damaged(content: Any) -> st.SearchStrategy[Any]:
    """The content with one or two places changed."""

    def once(content: Any) -> st.SearchStrategy[Any]:
        return st.builds(changed, st.just(content), st.sampled_from(places(content)), VALUES)

    return st.one_of(once(content), once(content).flatmap(once))


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def read_or_refuse(read: Any, path: Path, *, named: bool = True) -> None:
    """Nothing but a refusal that names the file may come out."""
    try:
        read(path)
    except SalbenchError as error:
        assert str(path) in str(error) or str(path.parent) in str(error) or not named


@pytest.fixture(scope="module")
def scratch():
    with tempfile.TemporaryDirectory(prefix="salbench-hostile-") as made:
        yield Path(made)


SALICON = {
    "images": [{"id": 7, "file_name": "a_7.jpg", "height": 13, "width": 17}, {"id": 8, "file_name": "b_8.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 7, "worker_id": 3, "fixations": [[1, 2], [13, 17]]},
        {"id": 2, "image_id": 8, "worker_id": "w", "fixations": []},
    ],
}


@given(content=damaged(SALICON))
def test_annotations_of_wrong_types_are_refused(scratch, content):
    """Catches a TypeError, KeyError or OverflowError for a member of another type in SALICON's JSON."""
    read_or_refuse(readers.read_salicon, write(scratch / "salicon" / "fixations_val2014.json", content))


@given(content=damaged([{"image_id": 7, "saliency_map": "iVBORw0KGgo="}, {"image_id": 8, "saliency_map": ""}]))
def test_result_files_of_wrong_types_are_refused(scratch, content):
    """Catches the same in a result file, whose maps are looked at as well."""
    read_or_refuse(readers.read_results, write(scratch / "results.json", content))


@pytest.mark.parametrize("name", ["run.json", "summary.json"])
@given(data=st.data())
def test_records_of_wrong_types_are_refused(scratch, name, data):
    """Catches a member that is there and of another type, which a command then works with."""
    content = data.draw(damaged({"run.json": readers.MANIFEST, "summary.json": readers.SUMMARY}[name]))
    path = write(scratch / f"for-{name}" / name, content)
    read_or_refuse(lambda path: readers.read_run(path, name), path)


@given(content=damaged({"format": 1, "run": readers.MANIFEST, "summary": readers.SUMMARY}))
def test_entries_of_wrong_types_are_refused(scratch, content):
    """Catches the same in an entry of a leaderboard, in all forms of its table and on its page."""
    read_or_refuse(readers.read_entry, write(scratch / "board" / "entry.json", content))


@given(record=damaged({"stimulus": "a", "scores": {"nss": 0.5}, "error": "", "fixations": 3, "dropped": 0}))
def test_rows_of_wrong_types_are_no_end(scratch, record):
    """Catches an interrupted run that cannot go on: a row that cannot be read is scored again."""
    readers.read_shard(write(scratch / "shards" / "a.jsonl", record))


@given(content=damaged({"viewers": ["a"], "first_fixation": "kept", "outside": "dropped"}))
def test_rules_of_wrong_types_are_refused(content):
    """Catches an AttributeError for the rules of fixations that a run tells of."""
    from salbench.datasets.ground_truth import FixationRules

    with suppress(UsageError):
        FixationRules.recorded(content)


CELLS = st.one_of(
    st.sampled_from(["", "nan", "inf", "-inf", "1e999", "9" * 400, "0x10", "1_0", "True", "1j", "=1", '"', "\r", "é"]),
    st.floats().map(str),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=4),
)
HEADS = st.lists(st.sampled_from(["x", "y", "viewer", "t", "", "x ", "X"]), max_size=5)


@given(
    head=HEADS, rows=st.lists(st.lists(CELLS, max_size=5), max_size=5), newline=st.sampled_from(["\n", "\r\n", "\r"])
)
@example(head=["x", "y", "viewer"], rows=[["1", "2", "v" * 1000]], newline="\n")
@example(head=["x", "x", "y"], rows=[["1", "2", "3"]], newline="\n")
def test_tables_of_wrong_content_are_refused(scratch, head, rows, newline):
    """Catches an error of pandas' own, and a table that is read into something other than numbers."""
    text = io.StringIO()
    csv.writer(text, lineterminator=newline).writerows([head, *rows])
    path = scratch / "fixations.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    try:
        found = folder.read_fixations(path)
    except SalbenchError as error:
        assert str(path) in str(error)
    else:
        assert found.x.dtype == found.y.dtype == float
        found.within((10, 10)).by_viewer()


TOML = st.one_of(
    st.sampled_from(["title", "citation", "pixels_per_degree"]).flatmap(
        lambda key: st.sampled_from(
            ["1", "[]", "{}", "1979-05-27", "nan", '"\\u0000"', "'''", "[" * 5000, "9" * 5000]
        ).map(lambda value: f"{key} = {value}")
    ),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20),
)


@given(text=TOML)
@example(text="title = " + "[" * 50_000)
@example(text="title = '" + "x" * (2 << 20) + "'")
def test_facts_of_wrong_types_are_text_or_refused(scratch, text):
    """Catches a RecursionError, a number of thousands of digits, and megabytes of title."""
    path = scratch / "toml" / "dataset.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    read_or_refuse(readers.read_toml, path)


MATS = {
    "salicon": ({"gaze": readers.WORKERS}, lambda path: salicon_mat.read_gaze(path, "fixations")),
    "cat2000": ({"fixLocs": readers.GREY}, cat2000.read_locations),
    "toronto": (readers.TORONTO, lambda path: toronto.read_fixated(path, 0)),
    "dut-omron": ({"s": readers.POINTS}, dut_omron.read_fixations),
    "figrim": (readers.FIGRIM, lambda path: figrim.read_first_looks(path, "a.jpg")),
    "osie mouse": (readers.MOUSE, osie.read_mouse_samples),
    "osie eye": (readers.EYE, osie.read_eye_fixations),
    "mit1003": ({"a": readers.structs({"DATA": readers.structs({"eyeData": readers.TRACE})})}, readers.read_trace),
}
ODD = [
    "text",
    readers.np.zeros((0, 0)),
    readers.np.zeros((2, 2, 2)),
    readers.np.full((3, 3), readers.np.nan),
    readers.np.full((3, 3), readers.np.inf),
    readers.np.ones((3, 3)) * 1j,
    readers.np.array([["a", "bc"]]),
    readers.cells(),
    readers.cells("x", readers.POINTS),
    readers.structs({"DATA": 1, "enc": "x", "fixations": 5, "filename": [], "subjects": 3, "img": 2}),
    scipy.sparse.eye_array(3).tocsc(),
]


def inner(content: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in a MATLAB file's content; of a list of cells to the first and last."""
    found = [at] if at else []
    if isinstance(content, dict):
        steps: list[Any] = list(content)
    elif isinstance(content, readers.np.ndarray) and content.dtype.names:
        steps = [(place, name) for place in ((0, 0), (0, content.shape[1] - 1)) for name in content.dtype.names]
    elif isinstance(content, readers.np.ndarray) and content.dtype == object and content.size:
        steps = [(0, 0), (content.shape[0] - 1, content.shape[1] - 1)]
    else:
        return found
    for step in dict.fromkeys(steps):
        value = content[step[0]][step[1]] if isinstance(step[0], tuple) else content[step]
        found += inner(value, (*at, step))
    return found


def replaced(content: Any, at: tuple[Any, ...], value: Any) -> Any:
    """A copy of a MATLAB file's content with another value at a place."""
    if not at:
        return value
    content, (step, *rest) = copy.deepcopy(content), at
    record, key = (content[step[0]], step[1]) if isinstance(step[0], tuple) else (content, step)
    record[key] = replaced(record[key], tuple(rest), value)
    return content


@pytest.mark.parametrize("name", MATS)
@pytest.mark.parametrize("odd", range(len(ODD)))
def test_recordings_of_another_structure_are_refused(tmp_path, monkeypatch, name, odd):
    """Catches an error of NumPy's own where a MATLAB file holds a text, a cell, or a wrong shape in any place."""
    monkeypatch.setenv("SALBENCH_CACHE", "")
    content, read = MATS[name]
    for number, at in enumerate(inner(content)):
        path = tmp_path / "v" / f"{number}.mat"
        path.parent.mkdir(exist_ok=True)
        scipy.io.savemat(path, replaced(content, at, ODD[odd]))
        read_or_refuse(read, path)


def test_deep_json_is_refused_everywhere(tmp_path):
    """Catches a RecursionError in any reader of JSON."""
    deep = "[" * 100_000 + "]" * 100_000
    for name in ("run.json", "summary.json"):
        readers.write_json(tmp_path / "run.json", readers.MANIFEST)
        readers.write_json(tmp_path / "summary.json", readers.SUMMARY)
        (tmp_path / name).write_text(deep)
        with pytest.raises(RunError, match=rf"{name}: cannot be read as JSON"):
            open_run(tmp_path)
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "deep.json").write_text(deep)
    with pytest.raises(RunError, match=r"deep\.json"):
        readers.read_entry(tmp_path / "board" / "deep.json")
    for read in (salicon.read_annotations, ResultFile):
        read_or_refuse(read, tmp_path / "board" / "deep.json")
