"""A training that is killed, or that runs out of disk, at any moment: what is lost, and what comes out in the end."""

import hashlib
import signal
from dataclasses import replace

import pytest
import torch

from salbench.errors import DataError, RunError, UsageError
from salbench_models.salgan import SalGAN, SalGANConfig
from salbench_models.salgan.device import CUBLAS, repeatable
from salbench_models.salgan.history import Begun, Epoch
from salbench_models.salgan.training import check_same_images, check_schedule

from .killed import in_a_process
from .scenes import Recorder, rows_of, without_cost

ALWAYS = 1e-9
"""Minutes after which a state is saved again."""
KILLED = -signal.SIGKILL


def digest(checkpoint):
    """SHA-256 of a safetensors file's values, which follow the length of its header, and the header."""
    content = checkpoint.read_bytes()
    return hashlib.sha256(content[8 + int.from_bytes(content[:8], "little") :]).hexdigest()


def test_a_training_that_is_killed_again_and_again_is_one_that_was_not(finished, tmp_path):
    """Catches batches that are lost, or done twice, or in another order; sums that start anew; a half-written state.

    Six images in batches of 4 and 2, an epoch of content loss and two adversarial ones. Each process tells at which of
    the 18 images it went on: from the last batch before the killing. In the end the weights are the same to the bit.
    """
    config = replace(finished.config, save_minutes=ALWAYS)
    assert in_a_process(tmp_path, config, batches=2) == (KILLED, [0])
    assert not (tmp_path / "epochs.csv").exists()
    # Goes on within the content phase, is killed after the generator's first adversarial step.
    assert in_a_process(tmp_path, config, batches=3) == (KILLED, [4])
    assert len(rows_of(tmp_path)) == 1
    # Goes on after the discriminator's step, is killed in the next epoch's.
    assert in_a_process(tmp_path, config, batches=2) == (KILLED, [10])
    assert in_a_process(tmp_path, config, in_writing=True) == (KILLED, [12])
    assert list(tmp_path.glob(".state.pt.*.tmp"))
    code, (began, error) = in_a_process(tmp_path, config, bytes_at_most=finished.checkpoint.stat().st_size * 6 // 5)
    assert (code, began) == (0, 12)
    assert f"{tmp_path / 'state.pt'} cannot be written (File too large). What was saved before is whole" in error
    assert "make room, and the same command goes on from there" in error
    # Which epochs are kept changes no result, so it may be changed.
    assert in_a_process(tmp_path, replace(config, keep_epochs="3")) == (0, [12])
    assert digest(tmp_path / "epoch-003.safetensors") == digest(finished.folder / "last.safetensors")
    (tmp_path / "epoch-003.safetensors").unlink()
    for name in ("salgan", "last", "best", "best-content"):
        assert digest(tmp_path / f"{name}.safetensors") == digest(finished.folder / f"{name}.safetensors")
    assert [without_cost(row) for row in rows_of(tmp_path)] == [without_cost(row) for row in rows_of(finished.folder)]
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in finished.folder.iterdir()}


@pytest.mark.parametrize("minutes", [-1.0, float("nan"), float("inf")])
def test_minutes_that_are_none_are_refused(minutes):
    """Catches a state that is never saved, by mistake."""
    with pytest.raises(UsageError, match=r"save_minutes is .*; wanted: 0 or more"):
        SalGANConfig(save_minutes=minutes)


def test_a_failing_validation_costs_itself_alone(make_job, run_config, tmp_path):
    """Catches an epoch that is trained again because a worker died in its validation."""

    def dies(predict):
        raise RunError("a worker process died")

    config = replace(run_config, adversarial_epochs=0, optimizer="nesterov", save_minutes=ALWAYS)
    job = make_job(tmp_path)
    with pytest.raises(RunError, match="a worker process died"):
        SalGAN.train(replace(job, validate=dies), config)
    going_on = replace(job, progress=Recorder())
    SalGAN.train(going_on, config)
    assert len(job.progress.advanced) == 2
    assert going_on.progress.advanced == []
    assert len(rows_of(tmp_path)) == 1


def test_an_epoch_that_is_begun_counts_as_done():
    """Catches an epoch whose first half was of another phase, and one that was begun and is not asked for."""
    done = [Epoch(1, "content", {}, {}, 1.0, 1.0), Begun(2, "content", 6)]
    check_schedule(SalGANConfig(epochs=2), done)
    with pytest.raises(RunError, match="2 epochs are done or begun, 1 are asked for"):
        check_schedule(SalGANConfig(epochs=1), done)
    with pytest.raises(RunError, match="epoch 2 was content and would be adversarial"):
        check_schedule(SalGANConfig(epochs=1, adversarial_epochs=1), done)


def test_an_epoch_goes_on_with_its_own_images_alone():
    """Catches an order of other images, some of which would come twice and some never."""
    check_same_images(None, 5)
    check_same_images(Begun(2, "content", 6), 6)
    with pytest.raises(RunError, match="epoch 2 was begun on 6 images, and now 5 can be trained on"):
        check_same_images(Begun(2, "content", 6), 5)


def test_arithmetic_repeats_itself_while_training(make_job, run_config, tmp_path):
    """Catches a training under torch's faster, less exact algorithms, and settings that outlive it."""
    seen = []

    def note(stimulus):
        seen.append((torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory))
        raise DataError("enough")

    before = torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory
    with pytest.raises(DataError):
        SalGAN.train(make_job(tmp_path, ground_truth=note), replace(run_config, vgg_weights="none"))
    assert set(seen) == {(True, False)}
    assert before == (False, True)
    assert (torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory) == before


def test_a_gpu_repeats_itself_where_it_is_asked_to(monkeypatch):
    """Catches an option without effect, one that is always on, and torch's own error hours later."""
    monkeypatch.delenv(CUBLAS, raising=False)
    with repeatable(torch.device("cuda"), on_gpu=False):
        assert not torch.are_deterministic_algorithms_enabled()
    wanted = "deterministic is True; wanted: CUBLAS_WORKSPACE_CONFIG=:4096:8 in the environment"
    with pytest.raises(UsageError, match=wanted), repeatable(torch.device("cuda"), on_gpu=True):
        raise AssertionError("not refused")
    monkeypatch.setenv(CUBLAS, ":4096:8")
    with repeatable(torch.device("cuda"), on_gpu=True):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
