"""What a training's folder tells of its epochs, and the steps of the generator that it counts."""

import subprocess
import sys

import pytest

from salbench.errors import RunError, UsageError
from salbench.models import EpochsFactory
from salbench_models.salgan import SalGAN, SalGANConfig
from salbench_models.salgan.history import Epoch, as_csv
from salbench_models.salgan.training import turns

from .scenes import checkpoint


def write_epochs(path, epochs):
    path.write_text(as_csv(epochs), encoding="utf-8")


def history(*scores, content=2):
    epochs = []
    for number, score in enumerate(scores, 1):
        phase = "content" if number <= content else "adversarial"
        metrics = {} if score is None else {"nss": score, "cc": 0.1 + 0.2}
        epochs.append(Epoch(number, phase, {"content": 0.5}, metrics, 2.0, 3.5, {"d_real": 0.5}, 4 * number))
    return epochs


def test_the_class_tells_epochs():
    """Catches a factory that other code cannot ask."""
    assert isinstance(SalGAN, EpochsFactory)


def test_a_folders_epochs_are_those_of_its_training(finished):
    """Catches figures that the file changes, losses taken for metrics, and files of other epochs."""
    epochs = SalGAN.epochs(finished.folder)
    assert [(e.epoch, e.phase, e.generator_steps) for e in epochs] == [
        (1, "content", 2),
        (2, "adversarial", 3),
        (3, "adversarial", 4),
    ]
    assert [set(e.metrics) for e in epochs] == [{"nss"}] * 3
    assert epochs[0].checkpoint == finished.folder / "best-content.safetensors"
    assert SalGAN.epochs(finished.folder / "nothing") == []
    chosen = SalGAN.chosen_epoch(finished.folder)
    assert chosen == max(epochs[1:], key=lambda epoch: epoch.metrics["nss"])
    assert SalGAN(checkpoint=chosen.checkpoint).card.trained_on == ("toy/train",)
    assert chosen.checkpoint.read_bytes() == finished.checkpoint.read_bytes()


def test_values_are_read_to_the_last_bit(tmp_path):
    """Catches rounding, and a metric that only some epochs have given to all, or read as zero."""
    write_epochs(tmp_path / "epochs.csv", history(None, 1 / 3, float("nan")))
    first, second, third = SalGAN.epochs(tmp_path)
    assert first.metrics == {}
    assert second.metrics == {"nss": 1 / 3, "cc": 0.1 + 0.2}
    assert third.metrics["nss"] != third.metrics["nss"]
    assert (first.checkpoint, SalGAN.chosen_epoch(tmp_path).epoch) == (None, 3)


def test_the_last_column_counts_the_generators_steps(tmp_path):
    """Catches a column among those that older readers know, also where a metric is new in a later epoch."""
    write_epochs(tmp_path / "epochs.csv", history(None, 1.0))
    header, *rows = (tmp_path / "epochs.csv").read_text().splitlines()
    assert header.split(",")[5:8] == ["nss", "cc", "seconds"]
    assert header.endswith(",d_fake,generator_steps")
    assert [row.rpartition(",")[2] for row in rows] == ["4", "8"]


def test_a_file_of_before_has_no_steps(tmp_path):
    """Catches an older folder that can no longer be read."""
    (tmp_path / "epochs.csv").write_text("epoch,phase,content_loss,nss,seconds\n1,content,0.5,1.5,2\n")
    (epoch,) = SalGAN.epochs(tmp_path)
    assert (epoch.metrics, epoch.generator_steps) == ({"nss": 1.5}, None)


def test_a_checkpoint_is_known_by_its_header(tmp_path):
    """Catches a file taken by its name alone: a kept file of another epoch, a damaged one, and a missing one."""
    write_epochs(tmp_path / "epochs.csv", history(1.0, 2.0, 3.0, 4.0))
    checkpoint(tmp_path / "epoch-001.safetensors", 1)
    checkpoint(tmp_path / "epoch-002.safetensors", 4)
    checkpoint(tmp_path / "best-content.safetensors", 2)
    (tmp_path / "best.safetensors").write_bytes(b"damaged")
    checkpoint(tmp_path / "last.safetensors", 4)
    found = [epoch.checkpoint and epoch.checkpoint.name for epoch in SalGAN.epochs(tmp_path)]
    assert found == ["epoch-001.safetensors", "best-content.safetensors", None, "last.safetensors"]


HEADER = "epoch,phase,nss,generator_steps\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"\x00\x00",
        b"epoch,epoch,phase\n1,1,content\n",
        b"model,nss\nx,1\n",
        HEADER.encode() + b"2,content,1,4\n",
        HEADER.encode() + b"1,content,1,4\n1,content,1,4\n",
        HEADER.encode() + b"1,discontent,1,4\n",
        HEADER.encode() + b"1,content,high,4\n",
        HEADER.encode() + b"1,content,1,-4\n",
        HEADER.encode() + b"1,content,1," + b"9" * 5000 + b"\n",
        HEADER.encode() + b"1,content,1\n",
        HEADER.encode() + b"1,content,1,4,5\n",
        HEADER.encode() + b"1,content,1,4" + b"x" * 200_000 + b"\n",
    ],
    ids=lambda content: content[-12:].decode("ascii", "replace"),
)
def test_a_file_that_no_training_wrote_is_a_run_error(tmp_path, content):
    """Catches a traceback, or figures out of nowhere, for damaged and hostile files."""
    (tmp_path / "epochs.csv").write_bytes(content)
    with pytest.raises(RunError, match=r"epochs\.csv"):
        SalGAN.epochs(tmp_path)


def test_a_file_beyond_all_bounds_is_not_read(tmp_path):
    """Catches a reader that takes all memory: a hole of a terabyte."""
    with (tmp_path / "epochs.csv").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(RunError, match="no training's"):
        SalGAN.epochs(tmp_path)


def test_a_folder_is_read_without_torch(tmp_path):
    """Catches seconds of imports for a look at a small file."""
    write_epochs(tmp_path / "epochs.csv", history(1.0))
    code = (
        "import sys; from pathlib import Path; from salbench_models.salgan import SalGAN;"
        "assert len(SalGAN.epochs(Path(sys.argv[1]))) == 1; assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0


@pytest.mark.parametrize(("batch", "images"), [(4, 6), (4, 4), (32, 20), (5, 11)])
def test_generator_steps_are_its_turns(batch, images):
    """Catches a formula that is not the loop's: an odd number of batches, one batch, and full ones."""
    config = SalGANConfig(epochs=2, adversarial_epochs=5, batch=batch)
    steps = 0
    for epoch in range(1, 8):
        steps += sum(turn is None or turn % 2 == 1 for turn in turns(config, epoch, images))
        assert config.generator_steps(epoch, images) == steps


@pytest.mark.parametrize(
    ("value", "kept"),
    [("none", []), ("all", [1, 2, 3, 4]), ("3", [3]), ("1, 4,99", [1, 4]), (True, [1, 2, 3, 4]), (False, [])],
)
def test_epochs_to_keep(value, kept):
    """Catches a list that is not heeded, and records of runs that knew yes and no alone."""
    config = SalGANConfig(keep_epochs=value)
    assert [epoch for epoch in range(1, 5) if config.keeps(epoch)] == kept
    assert SalGANConfig(**config.as_record()) == config
    assert isinstance(config.keep_epochs, str)


@pytest.mark.parametrize("value", ["", "0", "some", "1,,2", "-1", "1.5", "1-3", "²", "9" * 5000])
def test_a_bad_list_of_epochs_to_keep_is_refused(value):
    """Catches a typing error that would only show when the epoch is gone."""
    with pytest.raises(UsageError, match=r"keep_epochs is .*; wanted: none, all, or numbers of epochs"):
        SalGANConfig(keep_epochs=value)
