import io
import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_files import npy_header_only, npz_of, png_header_only
from PIL import Image, ImageFile

from salbench.errors import DataError, UsageError
from salbench.image_files import (
    IMAGE_SUFFIXES,
    MAP_SUFFIXES,
    MAX_PIXELS,
    files_by_stem,
    image_size,
    map_suffix,
    natural_key,
    read_image,
    read_map,
    write_map,
)

GREY = np.arange(60, dtype=np.uint8).reshape(6, 10) * 4
DEEP = GREY.astype(np.uint16) * 257 + 3
COLOUR = np.random.default_rng(0).integers(0, 256, (6, 10, 3), dtype=np.uint8)


@pytest.fixture
def saved(tmp_path):
    """Writes a picture and gives its path."""

    def save(picture, name="picture.png", **options):
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


@pytest.fixture
def written(tmp_path):
    """Writes bytes and gives their path."""

    def write(content, name="picture.png"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


@pytest.fixture
def undecodable(monkeypatch):
    """Fails the test where a decoder starts on the pixels."""

    def refuse(*args):
        pytest.fail("pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", refuse)


def encoded(picture, form, **options):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format=form, **options)
    return file.getvalue()


def in_rgb(grey):
    return np.stack([grey] * 3, axis=-1)


def with_alpha(picture, alpha):
    return np.dstack([picture, np.full(picture.shape[:2], alpha, dtype=np.uint8)])


# Images


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_a_colour_image_comes_back_pixel_for_pixel(saved, suffix):
    """Catches channels in another order, rows turned over, and an array that is a view of freed memory."""
    path = saved(COLOUR, f"a{suffix}", **({"lossless": True} if suffix == ".webp" else {}))
    pixels = read_image(path)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, COLOUR)
    assert image_size(path) == (6, 10)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (GREY, in_rgb(GREY)),
        (DEEP, in_rgb(GREY)),
        (GREY > 100, in_rgb(np.where(GREY > 100, 255, 0))),
        (with_alpha(COLOUR, 255), COLOUR),
        (with_alpha(GREY, 255), in_rgb(GREY)),
    ],
    ids=["grey", "16-bit grey", "1-bit", "opaque RGBA", "opaque LA"],
)
def test_other_kinds_of_picture_become_rgb(saved, picture, expected):
    """Catches 16-bit values clipped to white, 1-bit ones left at 0 and 1, and an alpha channel that changes colours."""
    pixels = read_image(saved(picture))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, expected)


def test_a_palette_picture_has_the_colours_of_its_palette(saved):
    """Catches palette indices taken for grey levels."""
    red, grey = [250, 10, 20], [7, 7, 7]
    image = Image.new("P", (2, 1))
    image.putpalette([*red, *grey])
    image.putpixel((1, 0), 1)
    np.testing.assert_array_equal(read_image(saved(image)), [[red, grey]])
    np.testing.assert_array_equal(read_image(saved(image, "picture.gif.png", transparency=9)), [[red, grey]])


@pytest.mark.parametrize("read", [read_image, read_map])
@pytest.mark.parametrize("picture", [with_alpha(COLOUR, 254), with_alpha(GREY, 0)], ids=["RGBA", "LA"])
def test_transparent_pixels_are_refused(saved, picture, read):
    """Catches a colour under transparency shown to a model: which background the viewers saw is not known."""
    with pytest.raises(DataError, match=r"picture\.png: has transparent pixels; flatten"):
        read(saved(picture))


def test_a_transparent_palette_entry_is_refused(saved):
    """Catches transparency that is not an alpha channel."""
    image = Image.new("P", (2, 1))
    image.putpalette([250, 10, 20, 7, 7, 7])
    image.putpixel((1, 0), 1)
    with pytest.raises(DataError, match="transparent"):
        read_image(saved(image, transparency=1))


def test_cmyk_is_converted(saved):
    """Catches inks taken for light: full magenta and yellow make red."""
    pixels = read_image(saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "a.jpg", quality=95))
    assert pixels.shape == (16, 16, 3)
    assert pixels[8, 8, 0] > 240
    assert pixels[8, 8, 1:].max() < 15


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_pixels_without_a_known_range_are_no_image(saved, kind):
    """Catches a stimulus clipped or scaled by a guess."""
    path = saved(GREY.astype(kind), "a.tif")
    with pytest.raises(DataError, match=r"a\.tif: pixels of type [IF] have no known range"):
        read_image(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_pixels_and_size(saved, orientation):
    """Catches fixations read on a picture that lies on its side, as a phone's does, and a size that disagrees."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(np.kron(in_rgb(GREY), np.ones((8, 8, 1), np.uint8)), "a.jpg", exif=exif, quality=100)
    # By the EXIF standard: where row 0 and column 0 of the file lie in the scene.
    upright = {
        1: GREY,
        2: GREY[:, ::-1],
        3: GREY[::-1, ::-1],
        4: GREY[::-1],
        5: GREY.T,
        6: GREY.T[:, ::-1],
        7: GREY.T[::-1, ::-1],
        8: GREY.T[::-1],
    }[orientation]
    pixels = read_image(path)
    assert np.abs(pixels[4::8, 4::8, 1].astype(int) - upright).max() <= 2  # JPEG at its best quality
    assert image_size(path) == pixels.shape[:2]
    assert read_map(path).shape == pixels.shape[:2]


def test_the_size_comes_from_the_header_alone(saved, undecodable):
    """Catches a data set of 20,000 images decoded to list it."""
    assert image_size(saved(COLOUR)) == (6, 10)


# Damaged and hostile files


@pytest.mark.parametrize("read", [read_image, read_map])
@pytest.mark.parametrize(
    "content",
    [
        encoded(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8), "JPEG")[:2000],
        encoded(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8), "PNG")[:2000],
        b"",
        b"not a picture at all",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
    ],
    ids=["truncated JPEG", "truncated PNG", "empty", "text", "PNG signature", "JPEG signature"],
)
def test_a_damaged_file_is_named(written, read, content):
    """Catches truncated pictures filled with grey, as OpenCV does, and errors that do not say which file."""
    path = written(content)
    with pytest.raises(
        DataError, match=r"picture\.png: cannot be read as an image \(.+\); restore the file or remove it"
    ):
        read(path)


@pytest.mark.parametrize("read", [read_image, read_map, image_size])
@pytest.mark.parametrize("name", ["gone.png", "gone.npy", "gone.npz", "."])
def test_a_missing_file_is_named(tmp_path, read, name):
    """Catches FileNotFoundError, and a folder opened as a file."""
    with pytest.raises(DataError, match=r": no such file$"):
        read(tmp_path / name)


@pytest.mark.parametrize("read", [read_image, read_map, image_size])
def test_a_huge_picture_is_refused_before_it_is_decoded(written, undecodable, read):
    """Catches a decompression bomb: a few bytes that claim gigabytes."""
    assert MAX_PIXELS < 11_000 * 11_000
    with pytest.raises(DataError, match=r"picture\.png: too many pixels .*121000000.*at most 89,000,000 are read"):
        read(written(png_header_only(11_000, 11_000)))
    with pytest.raises(DataError, match=r"picture\.png: too many pixels .*3600000000"):
        read(written(png_header_only(60_000, 60_000)))


class Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("name", ["map.npy", "map.npz", "bare.npy"])
def test_pickled_objects_are_refused_and_not_run(tmp_path, name):
    """Catches `allow_pickle`: a map file from a stranger could then run any code."""
    mark = tmp_path / "code-was-run"
    objects = np.array([[Trap(mark)]], dtype=object)
    if name == "bare.npy":
        (tmp_path / name).write_bytes(pickle.dumps(Trap(mark)))  # NumPy's loader falls back to unpickling a whole file
    else:
        (np.save if name.endswith("npy") else np.savez)(tmp_path / name, objects)
    with pytest.raises(DataError, match=rf"{name}: cannot be read as a NumPy .*([Oo]bject|pickle|magic)"):
        read_map(tmp_path / name)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Trap(mark)))
    assert mark.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are POSIX")
@pytest.mark.parametrize("form", ["npy", "png", "png16"])
def test_a_map_for_which_there_is_no_room_is_not_half_there(tmp_path, form):
    """Catches maps cut short without a word: NumPy's own writing does not see what fails when a file is closed."""
    values = np.random.default_rng(0).random((24, 32))
    write_map(tmp_path / "whole", values, form)
    for room in range(500, (tmp_path / "whole").stat().st_size, 300):
        script = f"""
import resource, sys
import numpy as np
from pathlib import Path
from salbench.image_files import write_map
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, resource.RLIM_INFINITY))
write_map(Path(sys.argv[1]), np.random.default_rng(0).random((24, 32)), {form!r})
"""
        words = [sys.executable, "-c", script, str(tmp_path / "map")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert "File too large" in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_an_array_that_claims_terabytes_is_refused(written):
    """Catches memory allocated on a header's word."""
    content = npy_header_only((1 << 20, 1 << 20))
    with pytest.raises(DataError, match=r"map\.npy: 1,099,511,627,776 pixels; at most"):
        read_map(written(content, "map.npy"))
    with pytest.raises(DataError, match=r"map\.npz: 1,099,511,627,776 pixels; at most"):
        read_map(written(npz_of(a=content), "map.npz"))


@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff{", npy_header_only((2**63, 2)), npy_header_only((-4, 4))],
    ids=["empty", "text", "magic", "header cut", "overflow", "negative"],
)
def test_a_damaged_array_is_named(written, content):
    """Catches whatever NumPy raises on a bad header."""
    with pytest.raises(DataError, match=r"map\.npy: "):
        read_map(written(content, "map.npy"))
    with pytest.raises(DataError, match=r"map\.npz: "):
        read_map(written(content, "map.npz"))
    with pytest.raises(DataError, match=r"map\.npz: "):
        read_map(written(npz_of(a=content), "map.npz"))


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM", b"II*\0", b"\x93NUMPY"]),
)
def test_no_bytes_raise_anything_but_a_data_error(tmp_path_factory, content, start):
    """Catches an exception of a decoder that no one thought of: a run of hours must name the file, not end."""
    folder = tmp_path_factory.getbasetemp()
    for suffix in (".png", ".npy", ".npz"):
        path = folder / f"noise{suffix}"
        path.write_bytes(start + content)
        with pytest.raises(DataError, match=f"noise{suffix}"):
            read_map(path)


# Maps


@pytest.mark.parametrize(
    ("picture", "name"),
    [
        (GREY, "a.png"),
        (DEEP, "a.png"),
        (GREY > 100, "a.png"),
        (GREY, "a.tif"),
        (DEEP, "a.tif"),
        (GREY.astype(np.int32) - 7, "a.tif"),
        (GREY.astype(np.float32) / 7, "a.tif"),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_a_map_keeps_the_type_of_its_file(saved, picture, name):
    """Catches 16-bit and float maps cut to 8 bits, and masks turned to 0 and 255."""
    values = read_map(saved(picture, name))
    assert values.dtype == picture.dtype
    np.testing.assert_array_equal(values, picture)


def test_a_big_endian_picture_is_in_native_order(saved):
    """Catches a byte order that torch and OpenCV refuse."""
    image = Image.frombytes("I;16B", (10, 6), DEEP.astype(">u2").tobytes())
    values = read_map(saved(image, "a.tif"))
    assert values.dtype == np.uint16
    assert values.dtype.isnative
    np.testing.assert_array_equal(values, DEEP)


@pytest.mark.parametrize("picture", [in_rgb(GREY), with_alpha(in_rgb(GREY), 255), with_alpha(GREY, 255)])
def test_a_grey_picture_in_colour_is_a_map(saved, picture):
    """Catches the refusal of what most tools write, and grey levels changed by the weights of the channels."""
    np.testing.assert_array_equal(read_map(saved(picture)), GREY)


def test_a_grey_jpeg_in_colour_is_a_map(saved):
    """Catches JPEG's chroma rounding taken for colour."""
    assert np.abs(read_map(saved(in_rgb(GREY), "a.jpg", quality=60)).astype(int) - GREY).mean() < 8


@pytest.mark.parametrize("picture", [COLOUR, with_alpha(COLOUR, 255), in_rgb(GREY) + np.array([4, 0, 0], np.uint8)])
def test_a_colour_picture_is_no_map(saved, picture):
    """Catches a plot with a colour map scored by its luminance: "jet" makes the middle brighter than the top."""
    with pytest.raises(DataError, match=r"picture\.png: is a colour picture; a saliency map has one channel"):
        read_map(saved(picture))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.uint8, np.uint16, np.int64, np.bool_, ">f8"])
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".NPY"])
def test_an_array_file_keeps_its_type_and_values(tmp_path, dtype, suffix):
    """Catches conversion on the way, a result that is still bound to the file, and suffixes in capitals."""
    array = (GREY % 5).astype(dtype)
    with (tmp_path / f"a{suffix}").open("wb") as file:
        np.savez_compressed(file, anything=array) if suffix == ".npz" else np.save(file, array)
    values = read_map(tmp_path / f"a{suffix}")
    assert values.dtype == np.dtype(dtype).newbyteorder("=")
    assert type(values) is np.ndarray
    assert values.flags.writeable
    np.testing.assert_array_equal(values, array)


def test_an_array_in_fortran_order_is_the_same_map(tmp_path):
    """Catches a transposed map."""
    np.save(tmp_path / "a.npy", np.asfortranarray(DEEP))
    np.testing.assert_array_equal(read_map(tmp_path / "a.npy"), DEEP)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((2, 3, 3)), r"has shape \(2, 3, 3\); wanted: \(height, width\)"),
        (np.zeros(4), r"has shape \(4,\)"),
        (np.zeros((2, 2), complex), "has type complex128; wanted: numbers"),
        (np.full((2, 2), "a"), "has type <U1; wanted: numbers"),
    ],
)
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_an_array_that_is_no_map_is_refused(tmp_path, array, text, suffix):
    """Catches the wrong array saved: a stack of channels, a spectrum, labels."""
    (np.save if suffix == "npy" else np.savez)(tmp_path / f"map.{suffix}", array)
    with pytest.raises(DataError, match=rf"map\.{suffix}: {text}"):
        read_map(tmp_path / f"map.{suffix}")


def test_an_archive_holds_one_array(tmp_path):
    """Catches the first of several arrays scored in silence."""
    np.savez(tmp_path / "two.npz", saliency=GREY, blurred=GREY)
    with pytest.raises(DataError, match=r"two\.npz: holds 2 arrays \(saliency\.npy, blurred\.npy\); wanted: one"):
        read_map(tmp_path / "two.npz")
    np.savez(tmp_path / "none.npz")
    with pytest.raises(DataError, match=r"none\.npz: holds 0 arrays"):
        read_map(tmp_path / "none.npz")


# Writing


def test_npy_keeps_every_bit(tmp_path):
    """Catches a map rounded to float32 on its way to disk."""
    array = np.random.default_rng(2).normal(size=(5, 7))
    array[0, 0] = np.nan
    write_map(tmp_path / "a.npy", array, "npy")
    np.testing.assert_array_equal(read_map(tmp_path / "a.npy"), array)


@pytest.mark.parametrize(("form", "top", "dtype"), [("png", 255, np.uint8), ("png16", 65535, np.uint16)])
def test_pictures_stretch_the_range(tmp_path, form, top, dtype):
    """Catches truncation in place of rounding half up, and a map darker or lighter than its file can hold."""
    array = np.linspace(-3, 5, 70).reshape(7, 10)
    write_map(tmp_path / "a.png", array, form)
    values = read_map(tmp_path / "a.png")
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, np.floor((array + 3) / 8 * top + 0.5))
    write_map(tmp_path / "b.png", values, form)
    np.testing.assert_array_equal(read_map(tmp_path / "b.png"), values)


@pytest.mark.parametrize("form", ["png", "png16"])
def test_a_flat_map_is_black_and_a_nan_is_lowest(tmp_path, form):
    """Catches NaN cast to an integer, which is undefined, and a flat map stretched to noise."""
    write_map(tmp_path / "flat.png", np.full((3, 4), 0.1), form)
    assert not read_map(tmp_path / "flat.png").any()
    write_map(tmp_path / "nan.png", np.array([[np.nan, 1.0, 2.0]]), form)
    assert read_map(tmp_path / "nan.png")[0].tolist() == [0, 0, 255 if form == "png" else 65535]
    write_map(tmp_path / "all.png", np.full((3, 4), np.nan), form)
    assert not read_map(tmp_path / "all.png").any()


def test_an_unknown_form_leaves_the_old_file(tmp_path):
    """Catches a file emptied before the request is understood."""
    write_map(tmp_path / "a.png", GREY)
    with pytest.raises(UsageError, match="unknown map format 'jpeg'; wanted: png, png16, npy"):
        write_map(tmp_path / "a.png", GREY, "jpeg")
    assert read_map(tmp_path / "a.png").max() == 255
    assert len(list(tmp_path.iterdir())) == 1


def test_a_form_has_its_suffix():
    """Catches an .npy file that is named .png, which no reader opens."""
    assert [map_suffix(form) for form in ("png", "png16", "npy")] == [".png", ".png", ".npy"]


# Folders


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_files_come_in_natural_order_by_their_path_without_suffix(tmp_path):
    """Catches i10 before i2, and files of the same name in two folders taken for one."""
    touch(tmp_path, "i10.png", "i2.JPG", "i1.jpeg", "night/i1.png", "day.one/i1.png", "i3.txt", "i2.npy")
    assert files_by_stem(tmp_path, IMAGE_SUFFIXES) == {
        "day.one/i1": tmp_path / "day.one/i1.png",
        "i1": tmp_path / "i1.jpeg",
        "i2": tmp_path / "i2.JPG",
        "i10": tmp_path / "i10.png",
        "night/i1": tmp_path / "night/i1.png",
    }
    assert list(files_by_stem(tmp_path, IMAGE_SUFFIXES)) == ["day.one/i1", "i1", "i2", "i10", "night/i1"]


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    """Catches `._i1.png` of macOS, thumbnails, half-written files, and folders that are named like pictures."""
    touch(tmp_path, "i1.png", "._i1.png", ".thumbnails/i1.png", "a/.cache/i1.png", "album.png/i1.png")
    assert list(files_by_stem(tmp_path, IMAGE_SUFFIXES)) == ["album.png/i1", "i1"]


def test_two_files_of_one_stem_are_refused(tmp_path):
    """Catches one of them scored by chance."""
    touch(tmp_path, "i1.png", "i1.npy", "i2.png")
    with pytest.raises(DataError, match=r"i1\.\w+ and i1\.\w+ have the same stem; remove one of them"):
        files_by_stem(tmp_path, MAP_SUFFIXES)
    assert list(files_by_stem(tmp_path, IMAGE_SUFFIXES)) == ["i1", "i2"]


def test_a_missing_folder_is_named(tmp_path):
    """Catches an empty data set where the path was mistyped."""
    with pytest.raises(DataError, match=r"gone: no such folder"):
        files_by_stem(tmp_path / "gone", IMAGE_SUFFIXES)


@given(st.lists(st.text(st.sampled_from("a1029²٣/."), max_size=6), max_size=6))
def test_natural_order_decides_between_any_two_names(names):
    """Catches keys that cannot be compared, digits that `int` does not take, and ties decided by the file system."""
    keys = sorted(natural_key(name) for name in set(names))
    assert all(before < after for before, after in pairwise(keys))
    assert natural_key("i9") < natural_key("i10") < natural_key("i10a")


def test_reading_files_imports_no_opencv_or_torch():
    """Catches a decoder that fills truncated files with grey coming back."""
    code = "import sys, salbench.image_files; print(*{'cv2', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
