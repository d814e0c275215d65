import dataclasses
import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from salbench.errors import DataError
from salbench_models.salgan.checkpoint import (
    Header,
    check_tensors,
    parse_header,
    read_header,
    read_weights,
    write_checkpoint,
)
from salbench_models.salgan.layers import GENERATOR_SHAPES
from salbench_models.salgan.networks import new_generator
from salbench_models.salgan.preprocessing import TORCHVISION

from .scenes import hollow_checkpoint

FULL_WIDTH = True
HEADER = Header({"loss": "bce4"}, TORCHVISION, "48x32", ("toy/train",), 3, {"nss": 1.25, "cc": None}, 7)


@pytest.fixture(scope="module")
def weights():
    return new_generator("he", seed=2, frozen=True).weights()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, weights):
    path = tmp_path_factory.mktemp("checkpoint") / "salgan.safetensors"
    write_checkpoint(path, weights, HEADER)
    return path


def test_a_checkpoint_comes_back_as_it_was(checkpoint, weights):
    """Catches lost metadata, changed weights, and temporary files left behind."""
    found = read_header(checkpoint)
    assert dataclasses.replace(found, salbench="") == HEADER
    assert found.salbench
    assert all(torch.equal(weights[name], tensor) for name, tensor in read_weights(checkpoint).items())
    assert [path.name for path in checkpoint.parent.iterdir()] == ["salgan.safetensors"]


def test_equal_checkpoints_are_equal_files(checkpoint, weights):
    """Catches safetensors' order of metadata, another one at every call: check sums would differ for nothing."""
    again = checkpoint.parent / "again.safetensors"
    write_checkpoint(again, weights, HEADER)
    assert again.read_bytes() == checkpoint.read_bytes()
    again.unlink()


def test_others_may_read_a_checkpoint(checkpoint):
    """Catches a file for its owner's eyes only, as safetensors' own writer leaves it: the umask decides."""
    plain = checkpoint.parent / "plain"
    plain.touch()
    assert checkpoint.stat().st_mode == plain.stat().st_mode
    plain.unlink()


def test_a_failed_write_leaves_the_old_file(checkpoint, weights):
    """Catches a checkpoint lost to a full disk: the new one replaces the old only when it is whole."""
    broken = dataclasses.replace(HEADER, metrics={"nss": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_checkpoint(checkpoint, weights, broken)
    assert read_header(checkpoint).metrics == HEADER.metrics
    assert len(list(checkpoint.parent.iterdir())) == 1


def test_a_missing_checkpoint_is_named(tmp_path):
    """Catches a FileNotFoundError out of the reader, and a folder taken for a file."""
    with pytest.raises(DataError, match=r"gone\.safetensors: no such checkpoint; make one with"):
        read_header(tmp_path / "gone.safetensors")
    with pytest.raises(DataError, match="no such checkpoint"):
        read_header(tmp_path)


def test_a_truncated_checkpoint_is_named(checkpoint, tmp_path):
    """Catches half a file, as an interrupted copy leaves it, that is read as far as it goes."""
    path = tmp_path / "half.safetensors"
    for length in (0, 5, 2000, 1_000_000):
        path.write_bytes(checkpoint.read_bytes()[:length])
        with pytest.raises(DataError, match=r"half\.safetensors: not a whole safetensors file"):
            read_header(path)


def test_a_checkpoint_that_cannot_be_looked_for_is_named():
    """Catches an OSError out of the look whether the file is there, as a folder closed to the user gives it."""
    with pytest.raises(DataError, match=r"x: cannot be read \(File name too long\)"):
        read_header(Path("x" * 1000))


def test_other_files_are_no_checkpoint(tmp_path, vgg_file):
    """Catches another network's safetensors, and a pickle, which must never be opened as one."""
    with pytest.raises(DataError, match="not a SalGAN generator"):
        read_header(vgg_file)
    (tmp_path / "model.pth").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(DataError, match=r"model\.pth: not a whole safetensors file"):
        read_header(tmp_path / "model.pth")


@pytest.mark.parametrize(
    ("name", "kind"), [("conv1_1.bias", ("F32", (65,))), ("conv1_1.bias", ("F16", (64,))), ("other", ("F32", ()))]
)
def test_wrong_names_shapes_and_types_are_named(tmp_path, name, kind):
    """Catches weights of almost the right network."""
    found = {name: ("F32", shape) for name, shape in GENERATOR_SHAPES.items()}
    check_tensors(tmp_path, found)
    with pytest.raises(DataError, match=f"1 tensors differ, the first being '{name}'"):
        check_tensors(tmp_path, found | {name: kind})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("size", "47x32"),
        ("size", None),
        ("size", "10000000x16"),
        ("preprocessing", {"order": "RGB", "maximum": 1, "mean": [0, 0], "std": [1, 1, 1]}),
        ("preprocessing", {"order": "GRB", "maximum": 1, "mean": [0, 0, 0], "std": [1, 1, 1]}),
        ("preprocessing", {"order": "RGB", "maximum": 1, "mean": [0, 0, 0], "std": [1, 0, 1]}),
        ("preprocessing", 5),
        ("config", []),
        ("trained_on", 3),
        ("epoch", "three"),
        ("metrics", None),
    ],
)
def test_wrong_metadata_is_a_data_error(tmp_path, key, value):
    """Catches trust in what a file says: each value is checked before it is used."""
    metadata = HEADER.as_metadata() | {key: json.dumps(value)}
    with pytest.raises(DataError, match=str(tmp_path)):
        parse_header(tmp_path, metadata)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("epoch", "1e999"),
        ("seed", "-1e999"),
        ("preprocessing", '{"order": "RGB", "maximum": 1%s, "mean": [0, 0, 0], "std": [1, 1, 1]}' % ("0" * 400)),
    ],
)
def test_numbers_beyond_all_bounds_are_a_data_error(tmp_path, key, text):
    """Catches an OverflowError for a hostile file: one number is too great for an int or a float."""
    path = tmp_path / "hostile.safetensors"
    hollow_checkpoint(path, HEADER.as_metadata())
    assert read_header(path).epoch == HEADER.epoch
    hollow_checkpoint(path, HEADER.as_metadata() | {key: text})
    with pytest.raises(DataError, match=r"hostile\.safetensors: its metadata is not a SalGAN checkpoint's \(Overflow"):
        read_header(path)


@pytest.mark.parametrize("key", sorted(HEADER.as_metadata()))
def test_missing_or_garbled_metadata_is_a_data_error(tmp_path, key):
    """Catches a KeyError or a JSON traceback that reaches the user."""
    metadata = HEADER.as_metadata()
    with pytest.raises(DataError, match="metadata"):
        parse_header(tmp_path, {name: text for name, text in metadata.items() if name != key})
    with pytest.raises(DataError, match="metadata"):
        parse_header(tmp_path, metadata | {key: "[" * 100_000})


def test_weights_that_are_not_numbers_are_refused(tmp_path):
    """Catches maps full of NaN from a damaged file."""
    save_file({"conv1_1.bias": torch.tensor([0.0, torch.inf])}, tmp_path / "inf.safetensors")
    with pytest.raises(DataError, match=r"inf\.safetensors: conv1_1.bias holds values that are not finite"):
        read_weights(tmp_path / "inf.safetensors")
