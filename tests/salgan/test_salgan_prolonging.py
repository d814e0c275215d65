"""A training that was done goes on to more epochs."""

from dataclasses import replace

import pytest

from salbench.errors import RunError
from salbench_models.salgan import SalGAN
from salbench_models.salgan.checkpoint import read_header
from salbench_models.salgan.config import SalGANConfig
from salbench_models.salgan.history import Epoch
from salbench_models.salgan.run_folder import RunFolder
from salbench_models.salgan.training import check_schedule

from .scenes import Recorder, checkpoint, rows_of, same_weights, without_cost


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_prolonged_training_is_one_that_was_asked_for_whole(finished, make_job, tmp_path):
    """Catches optimizer state lost between, a discriminator of other weights, and the best epoch of the wrong phase.

    Content alone, stopped within the first adversarial epoch after it, then on to the second: bit for bit.
    """
    job = make_job(tmp_path)
    SalGAN.train(job, replace(finished.config, adversarial_epochs=0))
    assert read_header(tmp_path / "salgan.safetensors").epoch == 1
    stopping = replace(job, progress=Recorder(interrupt_after=1))
    with pytest.raises(KeyboardInterrupt):
        SalGAN.train(stopping, replace(finished.config, adversarial_epochs=1))
    assert names(tmp_path) == {
        *("epochs.csv", "state.pt"),
        *(f"{name}.safetensors" for name in ("salgan", "best-content", "last")),
    }
    prolonged = SalGAN.train(job, finished.config)
    assert names(tmp_path) == names(finished.folder)
    for name in ("salgan", "last", "best", "best-content"):
        assert same_weights(tmp_path / f"{name}.safetensors", finished.folder / f"{name}.safetensors")
    assert read_header(prolonged).epoch == read_header(finished.checkpoint).epoch
    assert [without_cost(row) for row in rows_of(tmp_path)] == [without_cost(row) for row in rows_of(finished.folder)]


def test_less_than_what_is_done_is_refused(finished):
    """Catches a result of an epoch that was not asked for, and an error that names no number."""
    with pytest.raises(RunError, match="3 epochs are done or begun, 2 are asked for: ask for 3 or more"):
        SalGAN.train(finished.job, replace(finished.config, adversarial_epochs=1))


def test_another_phase_for_what_is_done_is_refused(finished):
    """Catches a history that no training could have, in either direction."""
    config = replace(finished.config, epochs=2, adversarial_epochs=5)
    with pytest.raises(RunError, match="epoch 2 was adversarial and would be content now"):
        SalGAN.train(finished.job, config)
    done = [Epoch(number, "content", {}, {}, 1.0, 1.0) for number in (1, 2)]
    with pytest.raises(RunError, match="epoch 2 was content and would be adversarial now"):
        check_schedule(SalGANConfig(epochs=1, adversarial_epochs=5), done)
    check_schedule(SalGANConfig(epochs=30, adversarial_epochs=75), done)
    check_schedule(SalGANConfig(epochs=2), done)


def arranged(folder, final_phase, *, best, best_content, phases):
    """The epochs of both best files after they were named anew; the later an epoch the better it is."""
    for name, epoch in (("best", best), ("best-content", best_content)):
        if epoch is not None:
            checkpoint(folder / f"{name}.safetensors", epoch)
    history = [Epoch(number, phase, {}, {"nss": number}, 1.0, 1.0) for number, phase in enumerate(phases, 1)]
    RunFolder(folder, {}, final_phase).arrange(history)
    files = [folder / f"{name}.safetensors" for name in ("best", "best-content")]
    return [read_header(file).epoch if file.exists() else None for file in files]


C, A = "content", "adversarial"


@pytest.mark.parametrize(
    ("final", "phases", "before", "after"),
    [
        (C, [C, C], (2, None), [2, None]),
        (A, [C, C], (2, None), [None, 2]),
        (A, [C, C], (None, 2), [None, 2]),
        (A, [C, C, A], (3, 2), [3, 2]),
        (C, [C, C], (None, 2), [2, None]),
        (C, [C, C, C], (2, 3), [3, None]),
        # Killed between a new epoch's checkpoint and its state: the file is ahead, and its epoch is trained again.
        (A, [C, C], (3, 2), [None, 2]),
        (C, [C, C], (3, None), [3, None]),
        (A, [A], (1, None), [1, None]),
    ],
)
def test_the_best_files_follow_the_final_phase(tmp_path, final, phases, before, after):
    """Catches content's best under the result's name, and the adversarial phase's under content's, after any stop."""
    assert arranged(tmp_path, final, best=before[0], best_content=before[1], phases=phases) == after
    assert arranged(tmp_path, final, best=None, best_content=None, phases=phases) == after


def test_a_result_of_another_epoch_is_not_published(finished, tmp_path):
    """Catches an older result that passes for the prolonged training's, whose own is gone."""
    checkpoint(tmp_path / "salgan.safetensors", 1)
    history = [Epoch(number, A, {}, {"nss": number}, 1.0, 1.0) for number in (1, 2)]
    with pytest.raises(RunError, match=r"best\.safetensors, of epoch 2, is gone"):
        RunFolder(tmp_path, {}, A).publish(history)
    checkpoint(tmp_path / "best.safetensors", 2)
    assert read_header(RunFolder(tmp_path, {}, A).publish(history)).epoch == 2
