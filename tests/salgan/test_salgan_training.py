import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from salbench.atomic import replacing
from salbench.best_epoch import best_of
from salbench.errors import RunError, UsageError
from salbench.models import TrainableFactory
from salbench_models.salgan import SalGAN, SalGANConfig
from salbench_models.salgan.checkpoint import read_header, read_weights
from salbench_models.salgan.data import TrainingSet, read_training_set
from salbench_models.salgan.encoder import vgg_weights
from salbench_models.salgan.files import prepare_folder
from salbench_models.salgan.history import FIGURES, Epoch
from salbench_models.salgan.networks import new_discriminator
from salbench_models.salgan.run_folder import SCRATCH, Saved
from salbench_models.salgan.training import MAX_SEED, check_same_content, turns

from .scenes import Recorder, nss_at_centre, rows_of, scene, scenes, truth_of


def test_the_class_is_a_trainable_factory():
    """Catches a factory that the command line cannot train with."""
    assert isinstance(SalGAN, TrainableFactory)
    assert SalGAN.config_class is SalGANConfig


def test_a_run_leaves_what_it_promises(finished):
    """Catches missing or superfluous files: 127 MB each are not left lying about."""
    assert finished.checkpoint == finished.folder / "salgan.safetensors"
    names = {"salgan", "best", "best-content", "last"}
    assert {path.name for path in finished.folder.iterdir()} == {
        "epochs.csv",
        "state.pt",
        *(f"{name}.safetensors" for name in names),
    }


def test_epochs_csv_has_a_row_an_epoch(finished):
    """Catches lost losses, metrics and phases, and losses in phases that have none."""
    rows = rows_of(finished.folder)
    losses = ["content_loss", "adversarial_loss", "discriminator_loss"]
    assert list(rows[0]) == [
        "epoch",
        "phase",
        *losses,
        "nss",
        "seconds",
        "images_per_second",
        *FIGURES,
        "generator_steps",
    ]
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["phase"] for row in rows] == ["content", "adversarial", "adversarial"]
    assert all(float(row["content_loss"]) > 0 and np.isfinite(float(row["nss"])) for row in rows)
    assert (rows[0]["adversarial_loss"], rows[0]["discriminator_loss"]) == ("", "")
    assert all(float(row["discriminator_loss"]) > 0 and float(row["adversarial_loss"]) > 0 for row in rows[1:])
    assert [row["generator_steps"] for row in rows] == ["2", "3", "4"]
    assert all(float(row["seconds"]) > 0 and float(row["images_per_second"]) > 0 for row in rows)


def test_progress_counts_images(finished):
    """Catches a bar that does not reach its end."""
    progress = finished.job.progress
    assert progress.started[1] == ("training salgan", 18, 0)
    assert [steps for steps, _ in progress.advanced] == [4, 2] * 3
    assert all({"loss", "images_per_second"} == set(figures) for _, figures in progress.advanced)


def test_the_result_is_the_final_phases_best_epoch(finished):
    """Catches a result chosen by another metric, by the loss, or out of the phase before."""
    best = max(rows_of(finished.folder)[1:], key=lambda row: float(row["nss"]))
    header = read_header(finished.checkpoint)
    assert header.epoch == int(best["epoch"])
    assert header.metrics["nss"] == pytest.approx(float(best["nss"]))
    assert read_header(finished.folder / "best-content.safetensors").epoch == 1
    assert read_header(finished.folder / "last.safetensors").epoch == 3


def test_the_checkpoint_says_how_it_came_about(finished):
    """Catches a checkpoint that cannot be repeated."""
    header = read_header(finished.checkpoint)
    assert header.config == {**finished.config.as_record(), "encoder_frozen": True}
    assert (header.trained_on, header.seed, header.size) == (("toy/train",), 3, "48x32")


def test_conv1_to_conv3_leave_training_as_they_came(finished):
    """Catches a step on frozen layers over a whole run, decay included: bit-identical to the file of weights."""
    given, trained = vgg_weights(finished.config.vgg_weights), read_weights(finished.checkpoint)
    frozen = {name for name in given if name[:5] in ("conv1", "conv2", "conv3")}
    assert len(frozen) == 14
    assert all(torch.equal(given[name], trained[name]) for name in frozen)
    assert not any(torch.equal(given[name], trained[name]) for name in given.keys() - frozen)


def test_a_finished_run_is_returned_without_training(finished):
    """Catches a second training, or second reading of the images, of what is done."""
    before = (finished.folder / "last.safetensors").stat().st_mtime_ns
    progress = Recorder()
    assert SalGAN.train(replace(finished.job, progress=progress), finished.config) == finished.checkpoint
    assert progress.started == []
    assert (finished.folder / "last.safetensors").stat().st_mtime_ns == before


def test_another_training_in_the_folder_is_refused(finished):
    """Catches a run continued under another configuration, seed or data set, and an error that names no field."""
    other = replace(finished.config, learning_rate=1e-4, loss="bce")
    with pytest.raises(RunError, match=r"learning_rate was 1e-05, now 0.0001; loss was 'bce4', now 'bce'"):
        SalGAN.train(finished.job, other)
    with pytest.raises(RunError, match="dataset was 'toy/train', now 'osie/train'; seed was 3, now 4"):
        SalGAN.train(replace(finished.job, dataset="osie/train", seed=4), finished.config)
    with pytest.raises(RunError, match="train_stimuli was"):
        SalGAN.train(replace(finished.job, train=finished.job.train[1:]), finished.config)
    with pytest.raises(RunError, match="validation_stimuli was"):
        SalGAN.train(replace(finished.job, validation=finished.job.validation[1:]), finished.config)
    with pytest.raises(RunError, match="validation_split was '', now 'toy/val'"):
        SalGAN.train(replace(finished.job, validation_split="toy/val"), finished.config)


def test_a_damaged_state_is_named(make_job, run_config, tmp_path):
    """Catches a traceback of the unpickler, and a silent start from nothing."""
    (tmp_path / "state.pt").write_bytes(b"\x80\x04 half a state")
    with pytest.raises(RunError, match=r"state\.pt cannot be read .*remove the folder to train anew"):
        SalGAN.train(make_job(tmp_path), run_config)


def test_an_encoder_is_known_by_its_content_not_by_its_name(finished, tmp_path):
    """Catches a training that cannot go on from another folder, and one that goes on with another encoder's name."""
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    job, moved = replace(finished.job, out=folder), tmp_path / "moved.safetensors"
    shutil.copyfile(finished.config.vgg_weights, moved)
    assert SalGAN.train(job, replace(finished.config, vgg_weights=str(moved))) == folder / "salgan.safetensors"
    moved.write_bytes(moved.read_bytes() + b" ")
    with pytest.raises(RunError, match=r"encoder_sha256 was '.*', now '"):
        SalGAN.train(job, replace(finished.config, vgg_weights=str(moved)))
    with pytest.raises(RunError, match=r"vgg_weights was '.*', now 'torchvision'"):
        SalGAN.train(job, replace(finished.config, vgg_weights="torchvision"))


def test_epochs_whose_files_were_asked_for_too_late_are_told_of(finished, tmp_path):
    """Catches a table that lacks an epoch's checkpoint, of which nobody said a word."""
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    job = replace(finished.job, out=folder, progress=Recorder())
    SalGAN.train(job, replace(finished.config, keep_epochs="1,999"))
    assert any("no file of epoch 1, 999: " in note for note in job.progress.notes)


def test_results_without_a_state_are_not_trained_over(finished, tmp_path):
    """Catches a training of days replaced by a new one, because one of its files was lost."""
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    (folder / "state.pt").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(RunError, match=r"holds epochs\.csv of a training, but no state\.pt"):
        SalGAN.train(replace(finished.job, out=folder), finished.config)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def shifted(stimulus):
    return np.roll(truth_of(stimulus), 4 if stimulus.id == "3" else 0, axis=1)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ground_truth": shifted}, "the ground truth of 3 is not the one that this training was begun on"),
        ({"train": [replace(one, image_source=partial(scene, 9)) for one in scenes(6)]}, "the image of 0 is not the"),
        ({"ground_truth": lambda one: truth_of(one) * (one.id != "4")}, "was begun on 6 images, and now 5 can be"),
    ],
    ids=["truth", "image", "fewer"],
)
def test_other_data_under_the_same_names_are_refused(finished, tmp_path, changes, text):
    """Catches epochs on files that were replaced, or of which one was damaged, in a training begun on others."""
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    longer = replace(finished.config, adversarial_epochs=3)
    with pytest.raises(RunError, match=text):
        SalGAN.train(replace(finished.job, out=folder, **changes), longer)
    assert len(rows_of(folder)) == 3


def test_traces_know_an_image_again_that_was_rounded_otherwise(make_job, tmp_path):
    """Catches a training that cannot go on where a library decodes pictures a grey level up or down."""
    data = read_training_set(make_job(tmp_path), (32, 48), 1.0)
    rng = np.random.default_rng(0)
    noise = rng.integers(-1, 2, data.images.shape)
    rounded = np.clip(data.images.astype(int) + noise, 0, 255).astype(np.uint8)
    truths = np.nextafter(data.truths, np.float16(2))
    check_same_content(Saved(data=data.traces), replace(data, images=rounded, truths=truths))


def test_a_killed_write_leaves_nothing_behind(finished):
    """Catches 127 MB of a half-written checkpoint that stay for ever after a kill."""
    (finished.folder / ".last.safetensors.0123abcd.tmp").write_bytes(b"half")
    SalGAN.train(finished.job, finished.config)
    assert not list(finished.folder.glob(".*"))


@pytest.mark.parametrize("name", ["state.pt", "epochs.csv", "best-content.safetensors", "epoch-1000.safetensors"])
def test_every_half_written_file_is_known(tmp_path, name):
    """Catches leftovers under a name that the clearing does not expect, as `replacing` makes them."""
    with replacing(tmp_path / name) as scratch:
        pass
    scratch.write_bytes(b"half")
    prepare_folder(tmp_path, SCRATCH)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_other_peoples_hidden_files_stay(tmp_path):
    """Catches a training into one's home or working folder that removes the scratch files of other programs."""
    names = {".editor.tmp", ".notes.0123abcd.tmp", ".last.safetensors.tmp", ".state.pt.mine.tmp", "state.pt.tmp"}
    for name in names:
        (tmp_path / name).touch()
    prepare_folder(tmp_path, SCRATCH)
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64])
def test_a_seed_out_of_range_is_a_usage_error(make_job, run_config, tmp_path, seed):
    """Catches a ValueError of numpy or torch, and a folder made for a training that cannot be."""
    with pytest.raises(UsageError, match=f"seed is {seed}; wanted: 0 to 9223372036854775807"):
        SalGAN.train(make_job(tmp_path / "out", seed=seed), run_config)
    assert not (tmp_path / "out").exists()


def test_the_greatest_seed_is_one_for_all_that_is_drawn():
    """Catches a bound that leaves no room for the discriminator's seed, one more than the generator's."""
    new_discriminator((16, 16), MAX_SEED + 1)
    data = TrainingSet(np.zeros((2, 16, 16, 3), np.uint8), np.zeros((2, 16, 16), np.float16))
    assert len(list(data.batches(1, MAX_SEED, 1, torch.device("cpu")))) == 2


def test_an_output_folder_that_cannot_be_is_a_run_error(make_job, run_config, tmp_path):
    """Catches a traceback where the output's name is taken by a file."""
    (tmp_path / "taken").touch()
    with pytest.raises(RunError, match="taken cannot be made"):
        SalGAN.train(make_job(tmp_path / "taken"), run_config)


def test_a_diverged_training_stops_and_keeps_the_epoch_before(make_job, run_config, tmp_path):
    """Catches epochs spent on NaN and a good checkpoint overwritten by it."""
    config = replace(run_config, epochs=2, adversarial_epochs=0, batch=6, learning_rate=1e30, weight_decay=0.0)
    job = make_job(tmp_path, validation=())
    with pytest.raises(
        RunError, match=r"diverged: the content loss is .* in epoch 2\. last\.safetensors holds epoch 1"
    ):
        SalGAN.train(job, config)
    assert read_header(tmp_path / "last.safetensors").epoch == 1
    assert read_header(tmp_path / "last.safetensors").metrics == {}
    assert not (tmp_path / "salgan.safetensors").exists()


def test_a_random_encoder_learns_the_scenes(make_job, tmp_path):
    """Catches a network that trains without learning: the loss falls and maps come to point at the scenes' spots.

    A map of the frame's centre has NSS -0.2 on these scenes, so only looking at the image helps.
    """
    job = make_job(tmp_path, train=scenes(6) * 9)
    config = SalGANConfig(
        **{"size": "48x32", "epochs": 2, "batch": 6, "loss": "bce", "init": "he", "vgg_weights": "none"},
        **{"optimizer": "adam", "learning_rate": 1e-3},
    )
    model = SalGAN(checkpoint=SalGAN.train(job, config))
    losses = [float(row["content_loss"]) for row in rows_of(tmp_path)]
    assert losses[-1] < 0.7 * losses[0]
    assert np.mean([nss_at_centre(model.predict, number) for number in range(6)]) > 1
    assert any("conv1-conv3 are trained too" in note for note in job.progress.notes)
    assert read_header(tmp_path / "salgan.safetensors").config["encoder_frozen"] is False


@pytest.mark.data
def test_the_real_encoder_learns_with_the_papers_settings(full_width, make_job, real_vgg, tmp_path):
    """Catches preprocessing or weights that do not fit each other, and AdaGrad at 3e-4 that leads nowhere."""
    job = make_job(tmp_path, train=scenes(6) * 6)
    config = SalGANConfig(size="48x32", epochs=2, batch=3, vgg_weights=str(real_vgg))
    model = SalGAN(checkpoint=SalGAN.train(job, config))
    assert np.mean([nss_at_centre(model.predict, number) for number in range(6)]) > 1


def epoch(number, nss, phase="content"):
    metrics = {} if nss is None else {"nss": nss}
    return Epoch(number, phase, {"content": 0.5}, metrics, 1.0, 1.0)


@pytest.mark.parametrize(
    ("scores", "best"),
    [([1.0, 3.0, 2.0], 2), ([2.0, 2.0], 1), ([None, None], 2), ([float("nan"), 1.0, float("nan")], 2)],
)
def test_the_best_epoch(scores, best):
    """Catches NaN that wins a comparison, and a first epoch called best where none was measured."""
    history = [epoch(number, score) for number, score in enumerate(scores, 1)]
    assert best_of([*history, epoch(9, 99.0, "adversarial")], "content").epoch == best


def test_networks_alternate_across_epochs_of_one_batch():
    """Catches a generator that never trains because every epoch's first, and only, batch is the discriminator's."""
    config = SalGANConfig(epochs=2, adversarial_epochs=3, batch=32)
    assert [turns(config, number, 20) for number in range(1, 6)] == [[None], [None], [0], [1], [2]]
    assert turns(config, 4, 70) == [3, 4, 5]
