"""The released generator's import, against a forward pass of SciPy and archives that nobody should trust."""

import hashlib
import io
import struct
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from narrow import TIMES, narrowed
from scipy.signal import convolve, correlate

from salbench.cli import main
from salbench.errors import DataError, UsageError
from salbench_models.salgan import SalGAN
from salbench_models.salgan.checkpoint import read_header
from salbench_models.salgan.released import ReleasedOptions, header, import_released, read_released, values

FULL_WIDTH = True
CAFFE_MEAN = np.array([103.939, 116.779, 123.68])
ENCODER = {"conv1": (64, 2), "conv2": (128, 2), "conv3": (256, 3), "conv4": (512, 3), "conv5": (512, 3)}
DECODER = {"uconv5": (512, 3), "uconv4": (512, 3), "uconv3": (256, 3), "uconv2": (128, 2), "uconv1": (64, 2)}


def drawn(tables: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Parameters in Lasagne's order, as large as keep a ReLU network's signal alive."""
    rng = np.random.default_rng(5)
    scale = {4: lambda shape: (2 / np.prod(shape[1:])) ** 0.5, 1: lambda shape: 0.1}
    found = [rng.standard_normal(shape, dtype=np.float32) * np.float32(scale[len(shape)](shape)) for shape in tables]
    found[0] /= 60  # the input is not of deviation 1 but of Caffe's
    found[-2] *= 3
    return found


def shapes() -> list[tuple[int, ...]]:
    """W and b of every convolution from input to output, as PAPER.md's tables have them."""
    found, inputs = [], 3
    for outputs, depth in [*ENCODER.values(), *DECODER.values()]:
        for _ in range(depth):
            found += [(outputs, inputs, 3, 3), (outputs,)]
            inputs = outputs
    return [*found, (1, 64, 1, 1), (1,)]


@pytest.fixture(scope="module")
def arrays():
    """Those of the real channels."""
    return drawn(shapes())


@pytest.fixture(scope="module")
def archive(arrays, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("released") / "gen_modelWeights0090.npz"
    np.savez(path, *arrays)
    return path


@pytest.fixture(scope="module")
def checkpoint(archive) -> Path:
    path = archive.with_name("salgan.safetensors")
    import_released(archive, path, ReleasedOptions())
    return path


def filtered(operation, pixels, weight, bias):
    """A zero-padded layer: `operation` slides each kernel over rows and columns; channels are summed as they are."""
    pad = weight.shape[-1] // 2
    padded = np.pad(pixels, ((0, 0), (pad, pad), (pad, pad)))
    # SciPy's convolve turns a kernel about all its axes: turned beforehand, the axis of channels stays as it was.
    kernels = weight[:, ::-1] if operation is convolve else weight
    return np.stack([operation(padded, kernel, mode="valid", method="direct")[0] for kernel in kernels]) + bias.reshape(
        -1, 1, 1
    )


def reference(arrays, image, channels):
    """The released network on an RGB image, in float64 and without PyTorch: its saliency map."""
    parameters = iter([array.astype(np.float64) for array in arrays])
    ordered = image[..., ::-1] if channels == "bgr" else image
    pixels = (ordered - CAFFE_MEAN).transpose(2, 0, 1)
    for number, (_, depth) in enumerate(ENCODER.values()):
        if number:
            channel, height, width = pixels.shape
            pixels = pixels.reshape(channel, height // 2, 2, width // 2, 2).max(axis=(2, 4))
        for _ in range(depth):
            pixels = filtered(correlate, pixels, next(parameters), next(parameters)).clip(min=0)
    for number, (_, depth) in enumerate(DECODER.values()):
        if number:
            pixels = pixels.repeat(2, axis=1).repeat(2, axis=2)
        for _ in range(depth):
            pixels = filtered(convolve, pixels, next(parameters), next(parameters)).clip(min=0)
    logits = filtered(convolve, pixels, next(parameters), next(parameters))[0]
    return 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize(("channels", "size", "times"), [("bgr", (32, 32), TIMES), ("rgb", (16, 16), 1)])
def test_the_imported_network_is_the_released_one(channels, size, times, tmp_path):
    """Catches kernels turned in the encoder or not in the decoder, exchanged arrays, other channels or means.

    Larger maps, on which SciPy is slow, for a network with so many times fewer channels.
    """
    arrays = drawn([tuple(n if n in (1, 3) else n // times for n in shape) for shape in shapes()])
    archive = tmp_path / "gen_modelWeights0090.npz"
    np.savez(archive, *arrays)
    with nullcontext() if times == 1 else narrowed():
        compare_with_reference(channels, size, arrays, archive, tmp_path)


def compare_with_reference(channels, size, arrays, archive, tmp_path):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = reference(arrays, image, channels)
    assert expected.std() > 0.05, "a map as flat as that would tell nothing"
    import_released(archive, tmp_path / "out.safetensors", ReleasedOptions(channels=channels))
    model = SalGAN(checkpoint=tmp_path / "out.safetensors", device="cpu", postprocess="exact")
    found = replace(model.predictor, size=size)(image)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_the_checkpoint_says_where_it_came_from(checkpoint, archive):
    """Catches weights of unknown origin, and a table that cannot flag SALICON's training images."""
    header = read_header(checkpoint)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    title = "Pan et al. 2017, released weights"
    assert header.origin == {"title": title, "file": "gen_modelWeights0090.npz", "sha256": digest}
    assert header.trained_on == ("salicon2015/train", "salicon2015/val")
    assert (header.size, header.epoch, header.postprocess) == ("256x192", 90, "original")
    assert (header.preprocessing.order, header.preprocessing.mean) == ("BGR", tuple(CAFFE_MEAN))


def test_the_card_tells_which_postprocess_made_the_maps(checkpoint):
    """Catches two sets of scores that differ, and nothing in the table that says why."""
    assert SalGAN(checkpoint=checkpoint).card.title == "SalGAN (original postprocess)"
    assert SalGAN(checkpoint=checkpoint, postprocess="exact").card.title == "SalGAN"
    with pytest.raises(UsageError, match=r"unknown postprocess 'orignal'\. Did you mean original"):
        SalGAN(checkpoint=checkpoint, postprocess="orignal")


def test_float64_fortran_order_and_compression_are_the_same_weights(arrays, archive, tmp_path):
    """Catches a transposed array, and a refusal of the same weights saved again by another program."""
    small = {number: array for number, array in enumerate(arrays) if array.size < 100_000}
    path = tmp_path / "again.npz"
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w") as new:
        for number in range(len(arrays)):
            content = old.read(f"arr_{number}.npy")
            if number in small:
                buffer = io.BytesIO()
                np.save(buffer, np.asfortranarray(small[number].astype(np.float64)))
                content = buffer.getvalue()
            new.writestr(f"arr_{number}.npy", content, zipfile.ZIP_DEFLATED if number in small else zipfile.ZIP_STORED)
    again, first = read_released(path), read_released(archive)
    assert list(again) == list(first)
    assert all(np.array_equal(again[name], first[name]) for name in first)


def headed(shape, dtype="<f4", values=b"", version=(1, 0)) -> bytes:
    """A .npy entry: its header as given, then whatever values are wished."""
    text = shape if isinstance(shape, str) else repr({"descr": dtype, "fortran_order": False, "shape": shape})
    text += " " * (-(len(text) + 11) % 64) + "\n"
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text.encode() + values


def write(path: Path, changes: dict[str, bytes | None], method=zipfile.ZIP_DEFLATED) -> Path:
    """An archive of 54 right headers without values, some entries changed, added or (None) left out."""
    entries = {f"arr_{number}.npy": headed(shape) for number, shape in enumerate(shapes())} | changes
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in entries.items():
            if content is not None:
                file.writestr(name, content)
    return path


def object_array() -> bytes:
    content = io.BytesIO()
    np.save(content, np.array([{"a": 1}] * 64, dtype=object), allow_pickle=True)
    return content.getvalue()


HOSTILE = {
    "pickled objects": ({"arr_1.npy": object_array()}, "arr_1.npy holds object, not float32"),
    "integers": ({"arr_1.npy": headed((64,), "<i4")}, "arr_1.npy holds int32, not float32"),
    "half precision": ({"arr_1.npy": headed((64,), "<f2")}, "arr_1.npy holds float16"),
    "records": ({"arr_1.npy": headed((64,), [("a", "<f4")])}, "arr_1.npy holds .*, not float32"),
    "arrays of arrays": ({"arr_1.npy": headed((64,), ("<f4", (2**40,)))}, "arr_1.npy holds|not a whole .npz archive"),
    "an array missing": ({"arr_53.npy": None}, "holds 53 arrays.*arr_53.npy"),
    "an array too many": ({"arr_54.npy": headed((1,))}, "holds 55 arrays.*arr_54.npy"),
    "another name": ({"arr_53.npy": None, "../arr_53.npy": headed((1,))}, "missing or superfluous: ../arr_53.npy"),
    "a wrong shape": ({"arr_4.npy": headed((128, 64, 5, 5))}, r"being arr_4: \(128, 64, 5, 5\), where conv2_1.weight"),
    "a transposed shape": ({"arr_4.npy": headed((64, 128, 3, 3))}, "conv2_1.weight has"),
    "terabytes claimed": ({"arr_0.npy": headed((2**40, 3, 3, 3))}, "1 arrays do not fit, the first being arr_0"),
    "a negative size": ({"arr_1.npy": headed((-64,))}, r"being arr_1: \(-64,\)"),
    "too few values": ({}, "arr_0.npy has 128 bytes, its header tells of 7040"),
    "a header without end": ({"arr_0.npy": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1)}, "not a whole .npz"),
    "a deep header": ({"arr_0.npy": headed("(" * 3000)}, "not a whole .npz archive"),
    "a long header": ({"arr_0.npy": headed("{}" + " " * 60_000)}, "not a whole .npz archive"),
    "another version": ({"arr_0.npy": headed((64, 3, 3, 3), version=(3, 0))}, r"version \(3, 0\)"),
    "no array": ({"arr_0.npy": b"nonsense"}, "not a whole .npz archive"),
    "an empty entry": ({"arr_0.npy": b""}, "not a whole .npz archive"),
}


@pytest.mark.parametrize(("changes", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_other_archives_are_refused_and_say_why(changes, message, tmp_path):
    """Catches trust in a header: each archive is refused before a value is read; none of the values are even there."""
    path = write(tmp_path / "odd.npz", changes)
    with pytest.raises(DataError, match=rf"odd\.npz: .*({message}).*wanted: gen_modelWeights0090\.npz"):
        read_released(path)


def test_an_ocean_of_zeros_is_refused_unread(tmp_path):
    """Catches a zip bomb: a small file that unpacks to gigabytes; reading a hundredth of it would take seconds."""
    zeros = bytes(4 * 64 * 3 * 3 * 3)
    first = {"arr_0.npy": headed((64, 3, 3, 3), values=zeros)}
    path = write(tmp_path / "bomb.npz", {**first, "arr_1.npy": headed((64,), values=bytes(200_000_000))})
    assert path.stat().st_size < 1_000_000
    with pytest.raises(DataError, match=r"arr_1\.npy has 200000128 bytes"):
        read_released(path)


def test_an_entry_that_is_longer_than_it_claims_is_refused(tmp_path):
    """Catches a directory that lies: no more than the claimed size is unpacked, and its check sum then does not fit."""
    shape = shapes()[0]
    zeros = bytes(4 * int(np.prod(shape)))
    path = write(tmp_path / "liar.npz", {"arr_0.npy": headed(shape, values=zeros + bytes(50_000_000))})
    content = path.read_bytes()
    real, claimed = 128 + len(zeros) + 50_000_000, 128 + len(zeros)
    assert content.count(struct.pack("<I", real)) == 2
    path.write_bytes(content.replace(struct.pack("<I", real), struct.pack("<I", claimed)))
    with zipfile.ZipFile(path) as file:
        assert file.getinfo("arr_0.npy").file_size == claimed
        entry = file.getinfo("arr_0.npy")
        with pytest.raises(zipfile.BadZipFile, match="CRC"):
            values(path, file, entry, header(path, file, entry))


@pytest.mark.parametrize("length", [0, 100, 1_000_000, -1])
def test_a_truncated_archive_is_named(length, archive, tmp_path):
    """Catches half a download that is read as far as it goes."""
    path = tmp_path / "half.npz"
    path.write_bytes(archive.read_bytes()[:length])
    with pytest.raises(DataError, match=r"half\.npz: not a whole \.npz archive"):
        read_released(path)


def test_a_damaged_value_is_noticed(archive, tmp_path):
    """Catches a flipped bit: the archive's check sums are looked at."""
    path = tmp_path / "flipped.npz"
    content = bytearray(archive.read_bytes())
    content[60_000_000] ^= 64
    path.write_bytes(content)
    with pytest.raises(DataError, match="CRC"):
        read_released(path)


@pytest.mark.parametrize(("value", "kind"), [(np.nan, np.float32), (-np.inf, np.float32), (1e300, np.float64)])
def test_values_that_are_no_float32_are_refused(value, kind, arrays, tmp_path):
    """Catches maps of NaN, also from a float64 that float32 cannot hold."""
    changed = [array.astype(kind) if number == 1 else np.zeros_like(array) for number, array in enumerate(arrays)]
    changed[1][7] = value
    np.savez_compressed(tmp_path / "nan.npz", *changed)
    with pytest.raises(DataError, match=r"nan\.npz: arr_1\.npy holds values that are not finite"):
        read_released(tmp_path / "nan.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_cannot_be_stopped_are_refused(method, tmp_path):
    """Catches a bomb of another kind: of these Python unpacks a whole block, whatever it is asked for."""
    with pytest.raises(DataError, match=r"arr_0\.npy is compressed by method"):
        read_released(write(tmp_path / "odd.npz", {}, method))


def test_a_file_beyond_all_measure_is_not_opened(tmp_path):
    """Catches a directory of a billion entries: 300 MB is more than the generator in float64."""
    with (tmp_path / "vast.npz").open("wb") as file:
        file.truncate(300_000_000)
    with pytest.raises(DataError, match="300000000 bytes are more than the generator can take up"):
        read_released(tmp_path / "vast.npz")


def test_a_header_of_python_2_is_read(tmp_path):
    """Catches a warning, or a refusal, for the `L` that Python 2 wrote behind long integers."""
    old = "{'descr': '<f4', 'fortran_order': False, 'shape': (64L,), }"
    with pytest.raises(DataError, match=r"arr_0\.npy has 128 bytes"):
        read_released(write(tmp_path / "old.npz", {"arr_1.npy": headed(old)}))


def test_the_command_imports_and_says_what_it_made(archive, tmp_path, capsys):
    """Catches a command without effect, options that do not arrive, and files left beside the checkpoint."""
    out = tmp_path / "made" / "salgan.safetensors"
    arguments = ["import", "salgan-theano", str(archive), "-o", str(out), "--channels", "rgb", "--postprocess", "exact"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert text == (
        f"{out}: Pan et al. 2017, released weights, from gen_modelWeights0090.npz; channels rgb, postprocess exact\n"
    )
    header = read_header(out)
    assert (header.preprocessing.order, header.postprocess) == ("RGB", "exact")
    assert [path.name for path in out.parent.iterdir()] == ["salgan.safetensors"]


def test_a_refused_archive_leaves_the_old_checkpoint(tmp_path, capsys):
    """Catches a good checkpoint lost to a bad archive, and a traceback."""
    out = tmp_path / "salgan.safetensors"
    out.write_text("old", encoding="utf-8")
    path = write(tmp_path / "odd.npz", {"arr_53.npy": None})
    assert main(["import", "salgan-theano", str(path), "-o", str(out)]) == 1
    assert "odd.npz: holds 53 arrays" in capsys.readouterr().err
    assert out.read_text(encoding="utf-8") == "old"


def test_the_archive_itself_is_never_overwritten(archive, tmp_path):
    """Catches 127 MB of somebody's download replaced by what was made of it."""
    (tmp_path / "link.npz").symlink_to(archive)
    with pytest.raises(UsageError, match="is the file to import"):
        import_released(archive, tmp_path / "link.npz", ReleasedOptions())


@pytest.mark.parametrize(
    "arguments",
    [["import", "salgan-teano", "x", "-o", "y"], ["import"], ["import", "salgan-theano", "gone.npz", "-o", "y"]],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_lists_the_kinds(arguments, tmp_path, monkeypatch, capsys):
    """Catches an unknown kind without its near names, and a command that hides what it can do."""
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "salgan-theano" in error
    assert "Traceback" not in error


def test_options_have_few_values():
    """Catches a mistyped option that is heeded as something else."""
    with pytest.raises(UsageError, match="unknown channels 'BGR'"):
        ReleasedOptions(channels="BGR")
    with pytest.raises(UsageError, match="unknown postprocess 'none'"):
        ReleasedOptions(postprocess="none")


def test_an_imported_model_predicts_as_its_checkpoint_says(checkpoint):
    """Catches an import that only its own test can load, and a postprocess that is stored and not heeded."""
    image = np.random.default_rng(2).integers(0, 256, (40, 70, 3), dtype=np.uint8)
    original, exact = (SalGAN(checkpoint=checkpoint, postprocess=way).predict(image) for way in (None, "exact"))
    assert original.shape == exact.shape == (40, 70)
    assert np.allclose(original * 255, np.round(original * 255), atol=1e-4)
    assert not np.allclose(exact * 255, np.round(exact * 255), atol=1e-2)
