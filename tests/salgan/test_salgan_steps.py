"""Steps in parts, mirrored images, compiled networks, and the figures of epochs.csv."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from salbench.errors import UsageError
from salbench_models.salgan import SalGAN, SalGANConfig
from salbench_models.salgan.data import Batch, TrainingSet
from salbench_models.salgan.history import FIGURES, Epoch
from salbench_models.salgan.learner import Learner, Trained

from .scenes import Recorder, rows_of, same_weights

CPU = torch.device("cpu")


@pytest.fixture
def batch():
    rng = torch.Generator().manual_seed(0)
    return Batch(torch.rand(5, 3, 32, 32, generator=rng), torch.rand(5, 1, 32, 32, generator=rng))


@pytest.fixture(scope="module")
def learner(vgg_file):
    config = SalGANConfig(size="32x32", epochs=1, adversarial_epochs=1, vgg_weights=str(vgg_file))
    return Learner(config, "cpu", seed=0)


def gradients(trained):
    return {name: p.grad.clone() for name, p in trained.network.named_parameters() if p.grad is not None}


def interrupted_and_resumed(job, config):
    """The checkpoint of a training that Ctrl-C stopped within its second epoch."""
    with pytest.raises(KeyboardInterrupt):
        SalGAN.train(replace(job, progress=Recorder(interrupt_after=4)), config)
    return SalGAN.train(job, config)


@pytest.mark.parametrize("turn", [None, 0, 1])
def test_a_step_in_parts_is_the_step_in_one_piece(learner, batch, monkeypatch, turn):
    """Catches parts of unequal size that count alike, sums for means, and a part whose gradient is lost.

    Five images in three parts: losses, figures and gradients within 1e-6, nothing of it zero.
    """
    monkeypatch.setattr(Trained, "advance", lambda self: None)
    trained = learner.critic if turn == 0 else learner.painter
    whole, wanted = learner.step(batch, turn), gradients(trained)
    monkeypatch.setattr(learner, "config", replace(learner.config, accumulate=3))
    parts, found = learner.step(batch, turn), gradients(trained)
    assert parts.losses == pytest.approx(whole.losses, abs=1e-6)
    assert parts.figures == pytest.approx(whole.figures, rel=1e-5, abs=1e-6)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-6)
        assert torch.linalg.vector_norm(found[name] - gradient) <= 1e-4 * torch.linalg.vector_norm(gradient)
    assert sum(float(gradient.abs().max()) for gradient in wanted.values()) > 1e-3


@pytest.mark.parametrize(("images", "parts", "sizes"), [(5, 3, [1, 2, 2]), (2, 4, [1, 1]), (4, 1, [4])])
def test_no_more_than_a_part_is_in_memory(learner, batch, monkeypatch, images, parts, sizes):
    """Catches parts that the networks never see, an empty part of a small last batch, and images left out."""
    seen = []
    monkeypatch.setattr(Trained, "advance", lambda self: None)
    monkeypatch.setattr(learner, "config", replace(learner.config, accumulate=parts))
    hook = learner.generator.decoder.output.register_forward_hook(
        lambda module, inputs, output: seen.append(len(output))
    )
    learner.step(batch.part(slice(images)), None)
    hook.remove()
    assert seen == sizes


def test_the_gradient_norm_is_that_of_autograd(learner, batch, monkeypatch):
    """Catches a norm of one layer, of the step, or of what was left from the step before."""
    monkeypatch.setattr(Trained, "advance", lambda self: None)
    learner.step(batch, None)
    figures = learner.step(batch, None).figures
    flat = torch.cat([gradient.flatten() for gradient in gradients(learner.painter).values()])
    assert figures == {"generator_gradient_norm": pytest.approx(float(flat.double().norm()), rel=1e-5)}


def test_the_discriminators_answers_are_told_apart(learner, batch, monkeypatch):
    """Catches D(real) and D(fake) exchanged, and logits for probabilities."""
    monkeypatch.setattr(Trained, "advance", lambda self: None)
    with torch.no_grad():
        fake = torch.sigmoid(learner.logits(batch))
        wanted = [torch.sigmoid(learner.critic.network(maps, batch.images)).mean() for maps in (batch.truth, fake)]
    figures = learner.step(batch, 0).figures
    assert [figures["d_real"], figures["d_fake"]] == pytest.approx([float(value) for value in wanted], abs=1e-6)
    assert abs(figures["d_real"] - figures["d_fake"]) > 1e-6
    assert figures["discriminator_gradient_norm"] > 0


def test_epochs_csv_has_the_figures_of_each_phase(finished):
    """Catches figures lost on their way to the file, and the discriminator's in the content phase."""
    content, *adversarial = [[row[name] for name in FIGURES] for row in rows_of(finished.folder)]
    assert float(content[0]) == pytest.approx(1e-5)
    assert float(content[1]) > 0
    assert content[2:] == ["", "", ""]
    for row in adversarial:
        rate, generator, discriminator, real, fake = map(float, row)
        assert rate == pytest.approx(1e-5)
        assert min(generator, discriminator) > 0
        assert 0 < real < 1
        assert 0 < fake < 1


def test_a_run_made_before_there_were_figures_goes_on(finished, make_job, run_config, tmp_path):
    """Catches a state that the new code cannot read: the older epoch's figures are empty, the weights are the same."""
    job = make_job(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        SalGAN.train(replace(job, progress=Recorder(interrupt_after=4)), run_config)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    records, identity = json.loads(state["history"]), json.loads(state["identity"])
    for record in records:
        del record["figures"], record["generator_steps"]
    for name in ("flips", "accumulate", "cache_features", "compile"):
        del identity[name]
    for name in ("save_minutes", "deterministic"):
        del identity[name]
    identity["keep_epochs"] = False
    del state["begun"]
    torch.save({**state, "history": json.dumps(records), "identity": json.dumps(identity)}, tmp_path / "state.pt")
    assert same_weights(SalGAN.train(job, run_config), finished.checkpoint)
    assert [row["learning_rate"] for row in rows_of(tmp_path)] == ["", "1e-05", "1e-05"]
    assert [row["generator_steps"] for row in rows_of(tmp_path)] == ["2", "3", "4"]


def test_an_epochs_row_keeps_the_older_columns_first():
    """Catches a reader of columns by number who finds another one there."""
    row = Epoch(1, "content", {"content": 0.5}, {"nss": 1.0}, 1.0, 1.0).as_row()
    assert list(row)[5:] == ["nss", "seconds", "images_per_second", *FIGURES, "generator_steps"]


@pytest.fixture
def pictures():
    """Sixty images whose mirrored ones differ from them; a truth is the image's first channel."""
    images = np.random.default_rng(1).integers(0, 256, (60, 4, 6, 3), dtype=np.uint8)
    return TrainingSet(images, (images[..., 0] / 255).astype(np.float16), flips=True)


def flipped(data, seed, epoch, size):
    """Row to whether it came mirrored, image and truth alike."""
    originals = torch.from_numpy(data.images).permute(0, 3, 1, 2) / 255
    truths = torch.from_numpy(data.truths)[:, None].float()
    found = {}
    for batch in data.batches(size, seed, epoch, CPU):
        for image, truth in zip(batch.images, batch.truth, strict=True):
            plain = (originals == image).all(dim=(1, 2, 3)).nonzero()
            row = int(plain if len(plain) else (originals == image.flip(2)).all(dim=(1, 2, 3)).nonzero())
            found[row] = len(plain) == 0
            assert torch.equal(truth, truths[row].flip(2) if found[row] else truths[row])
    return found


def test_mirroring_is_decided_by_seed_epoch_and_row_alone(pictures):
    """Catches a truth that stays when its image is mirrored, all or none mirrored, the same in every epoch, and coins
    that depend on batches, on the number of images or on what was drawn before."""
    before = pictures.images.copy()
    first = flipped(pictures, 0, 1, 7)
    assert first.keys() == set(range(60))
    assert 15 < sum(first.values()) < 45
    assert flipped(pictures, 0, 1, 60) == first
    fewer = replace(pictures, images=pictures.images[:20], truths=pictures.truths[:20])
    assert flipped(fewer, 0, 1, 7) == {row: first[row] for row in range(20)}
    assert flipped(pictures, 0, 2, 7) != first
    assert flipped(pictures, 1, 1, 7) != first
    assert np.array_equal(pictures.images, before)


def test_nothing_is_mirrored_unasked(pictures):
    """Catches mirroring in the paper's training."""
    assert not any(flipped(replace(pictures, flips=False), 0, 1, 7).values())


def test_an_interrupted_run_with_flips_and_parts_repeats_them(finished, make_job, run_config, tmp_path):
    """Catches coins or parts that depend on history: bit-identical weights, which are not those without flips.

    Kept features do not go with flips, which is said; no file is left.
    """
    config = replace(run_config, flips=True, accumulate=3, cache_features=True)
    job = make_job(tmp_path / "whole")
    whole = SalGAN.train(job, config)
    resumed = interrupted_and_resumed(make_job(tmp_path / "parts"), config)
    assert same_weights(resumed, whole)
    assert not same_weights(whole, finished.checkpoint)
    assert any("mirrored at random, so features of conv1-conv3 are not kept" in note for note in job.progress.notes)


@pytest.fixture
def compile_with(monkeypatch):
    """Makes torch.compile use a backend that needs no C++ compiler."""
    compile_ = torch.compile

    def choose(backend):
        monkeypatch.setattr(torch, "compile", lambda module, **_: compile_(module, backend=backend))

    yield choose
    torch._dynamo.reset()


# The compiler looks at an input that is no leaf of the graph; pytest would make its warning the compiler's failure.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_compiled_networks_take_the_same_steps(learner, batch, compile_with):
    """Catches an option without effect, and a compiled network that is not the one that is saved."""
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compile_with(backend)
    plain, compiled = (Learner(replace(learner.config, compile=value), "cpu", seed=0) for value in (False, True))
    for turn in (None, 0, 1):
        assert compiled.step(batch, turn).losses == pytest.approx(plain.step(batch, turn).losses, rel=1e-5)
    assert len(graphs) >= 2
    assert compiled.state_dict()["generator"]["network"].keys() == plain.state_dict()["generator"]["network"].keys()
    torch.testing.assert_close(compiled.generator.weights(), plain.generator.weights())


def test_a_failing_compiler_names_the_option(learner, batch, compile_with):
    """Catches a traceback of torch's compiler, and the advice to try a smaller learning rate."""

    def backend(graph, inputs):
        raise OSError("no C++ compiler here")

    compile_with(backend)
    broken = Learner(replace(learner.config, compile=True, adversarial_epochs=0), "cpu", seed=0)
    with pytest.raises(UsageError, match=r"compile is True, but torch\.compile failed .*train without --compile"):
        broken.step(batch, None)


def test_a_torch_without_a_compiler_names_the_option(learner, monkeypatch):
    """Catches a traceback on a system that torch.compile does not run on."""

    def refuse(module):
        raise RuntimeError("torch.compile is not supported on Python 3.99+")

    monkeypatch.setattr(torch, "compile", refuse)
    with pytest.raises(UsageError, match=r"compile is True, .*not supported on Python 3\.99"):
        Learner(replace(learner.config, compile=True), "cpu", seed=0)
