"""The generic folder layout, and making one from a table."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from salbench.datasets.folder import image_folder, open_folder, read_fixations
from salbench.datasets.make_folder import make_folder
from salbench.datasets.registry import open_dataset
from salbench.errors import DataError, UsageError


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two images that are not square and differ in size."""
    folder = tmp_path / "stimuli"
    folder.mkdir()
    for name, size in (("i2.png", (8, 6)), ("i10.jpg", (5, 9))):
        Image.new("RGB", size, (10, 20, 30)).save(folder / name)
    return folder


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


def test_a_table_becomes_a_data_set_with_every_fixation_in_its_place(tmp_path, images):
    rows = "image,participant,x,y,onset\ni2.png,1,7,5,0\ni2.png,2,0,1,10\ni10.jpg,1,4,8,3\ni10.jpg,1,5,0,9\n"
    made = make_folder(images, table(tmp_path, rows), tmp_path / "made", rename={"participant": "viewer", "onset": "t"})
    assert (made.images, made.fixations, made.outside, made.without_fixations) == (2, 4, 1, 0)
    first, second = open_folder(tmp_path / "made").stimuli()
    assert [first.id, second.id] == ["i2", "i10"], "natural order"
    assert (first.size, second.size) == ((6, 8), (9, 5)), "height first"
    assert np.argwhere(first.fixation_map()).tolist() == [[1, 0], [5, 7]]
    assert np.argwhere(second.fixation_map()).tolist() == [[8, 4]], "the point outside the frame is dropped"
    assert list(first.fixations().by_viewer()) == ["1", "2"]
    assert first.image().shape == (6, 8, 3)


def test_one_based_tables_are_shifted(tmp_path, images):
    make_folder(images, table(tmp_path, "image,x,y\ni2,8,6\n"), tmp_path / "made", one_based=True)
    assert np.argwhere(open_folder(tmp_path / "made").stimuli()[0].fixation_map()).tolist() == [[5, 7]]


def test_images_without_rows_have_no_fixations(tmp_path, images):
    made = make_folder(images, table(tmp_path, "image,x,y\ni2,1,1\n"), tmp_path / "made")
    assert made.without_fixations == 1
    assert len(open_folder(tmp_path / "made").stimuli()[1].fixations()) == 0


@pytest.mark.parametrize(
    ("rows", "error", "text"),
    [
        ("image,x,y\nelsewhere.png,1,1\n", DataError, "elsewhere.png"),
        ("image,x,y\ni2,one,1\n", DataError, "line 2: x is 'one'"),
        ("image,x,y\ni2,1,\n", DataError, "line 2: y is ''"),
        ("image,x,y\ni2,1,inf\n", DataError, "line 2"),
        ("picture,x,y\ni2,1,1\n", UsageError, "no column image"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_and_leaves_nothing_behind(tmp_path, images, rows, error, text):
    with pytest.raises(error, match=text):
        make_folder(images, table(tmp_path, rows), tmp_path / "made")
    assert {path.name for path in tmp_path.iterdir()} == {"stimuli", "table.csv"}


def test_renaming_a_column_that_is_not_there_lists_those_that_are(tmp_path, images):
    with pytest.raises(UsageError, match=r"no column who to rename. Its columns: image, x, y"):
        make_folder(images, table(tmp_path, "image,x,y\n"), tmp_path / "made", rename={"who": "viewer"})


def test_an_existing_folder_is_never_overwritten(tmp_path, images):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "precious").touch()
    with pytest.raises(DataError, match="not empty"):
        make_folder(images, table(tmp_path, "image,x,y\n"), tmp_path / "made")


def test_own_ground_truth_maps_are_found_and_must_have_the_size_of_their_image(tmp_path, images):
    make_folder(images, table(tmp_path, "image,x,y\ni2,1,1\n"), tmp_path / "made")
    (tmp_path / "made" / "maps").mkdir()
    Image.new("L", (8, 6), 9).save(tmp_path / "made" / "maps" / "i2.png")
    Image.new("L", (8, 6), 9).save(tmp_path / "made" / "maps" / "i10.png")
    first, second = open_folder(tmp_path / "made").stimuli()
    assert first.map_source is not None
    assert (first.map_source() == 9).all()
    assert second.map_source is not None
    with pytest.raises(DataError, match=r"i10.png: has shape \(6, 8\); wanted: that of its image, \(9, 5\)"):
        second.map_source()


def test_dataset_toml_gives_title_and_citation(tmp_path, images):
    make_folder(images, table(tmp_path, "image,x,y\n"), tmp_path / "made")
    (tmp_path / "made" / "dataset.toml").write_text('title = "My set"\ncitation = "Me 2026"\n')
    opened = open_folder(tmp_path / "made")
    assert (opened.key, opened.title, opened.citation) == ("made", "My set", "Me 2026")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "cannot be read as CSV"),
        ("a,b\n1,2\n", "no column x and y"),
        ("x,y\n1,2\n3,four\n", "line 3: y is 'four'"),
        ('x,y\n"1,2\n', "cannot be read as CSV|line 2"),
    ],
)
def test_bad_fixation_files_are_named(tmp_path, content, text):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=text) as caught:
        read_fixations(path)
    assert str(path) in str(caught.value)


def test_a_packed_table_is_not_unpacked(tmp_path):
    """Catches millions of fixations out of a few kilobytes, because of a file's name."""
    content = gzip.compress(b"x,y\n" + b"1,1\n" * 100_000)
    assert len(content) < 1000
    (tmp_path / "a.csv.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.csv\.gz: cannot be read as CSV"):
        read_fixations(tmp_path / "a.csv.gz")


def test_initials_that_pandas_takes_for_nothing_are_names(tmp_path):
    """Catches viewers NA, null and None made into one without a name, whose fixations then predict themselves."""
    names = ["AB", "NA", "null", "nan", "None", "N/A", ""]
    for end in ("", ","):
        rows = [f"{place},2,{name}{end}" for place, name in enumerate(names)]
        (tmp_path / "a.csv").write_text("\n".join(["x,y,viewer", *rows]) + "\n")
        assert list(read_fixations(tmp_path / "a.csv").by_viewer()) == names


def test_a_missing_fixation_file_tells_what_an_image_without_fixations_needs(tmp_path):
    with pytest.raises(DataError, match="an image without fixations needs a file with the header x,y"):
        read_fixations(tmp_path / "a.csv")


def test_a_folder_of_images_is_listed_in_natural_order(images):
    assert [stimulus.id for stimulus in image_folder(images)] == ["i2", "i10"]


def test_a_folder_that_is_no_data_set_is_told_what_is_wanted(tmp_path):
    with pytest.raises(DataError, match="images/NAME"):
        open_dataset(str(tmp_path))


def test_an_unknown_name_is_answered_with_the_near_ones():
    with pytest.raises(UsageError, match="Did you mean osie-eye"):
        open_dataset("osie-eyes")


def test_a_path_that_does_not_exist_is_not_taken_for_a_name(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_dataset(str(tmp_path / "nowhere"))


def test_one_unreadable_image_costs_only_its_own_row(tmp_path, images):
    """Catches a listing that gives up at the first bad header."""
    make_folder(images, table(tmp_path, "image,x,y\ni2,1,1\ni10,2,2\n"), tmp_path / "made")
    (tmp_path / "made" / "images" / "i2.png").write_bytes(b"not an image")
    first, second = open_folder(tmp_path / "made").stimuli()
    for use in (first.image, first.fixations):
        with pytest.raises(DataError, match=r"i2\.png: cannot be read as an image"):
            use()
    assert len(second.fixations()) == 1


@pytest.mark.parametrize("rows", ["x,y\n10,20,300\n", "x,y\n1,2\n10,20,300\n"])
def test_rows_with_more_fields_than_the_header_are_refused(tmp_path, rows):
    """Catches pandas taking the first column for an index and shifting all others."""
    path = tmp_path / "a.csv"
    path.write_text(rows)
    with pytest.raises(DataError, match=r"a\.csv"):
        read_fixations(path)


def test_a_comma_at_the_end_of_a_row_shifts_nothing(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n10,20,\n")
    fixations = read_fixations(tmp_path / "a.csv")
    assert (fixations.x.tolist(), fixations.y.tolist()) == ([10], [20])


def test_a_file_name_that_is_no_text_is_refused(tmp_path, images):
    (images / "caf\udce9.png").write_bytes((images / "i2.png").read_bytes())
    with pytest.raises(DataError, match="is not UTF-8; rename the file"):
        image_folder(images)


def test_data_is_refused_where_it_would_be_ignored(tmp_path):
    with pytest.raises(UsageError, match="synthetic needs none"):
        open_dataset("synthetic", tmp_path)
