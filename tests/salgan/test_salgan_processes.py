"""Trainings in two processes that torchrun starts, against the same in one."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import narrow
import pytest
import torch
from PIL import Image

from salbench.environment import Launch, launch
from salbench.errors import RunError, UsageError
from salbench_models.salgan import SalGAN, SalGANConfig, processes, training
from salbench_models.salgan.data import TrainingSet
from salbench_models.salgan.device import own_device
from salbench_models.salgan.processes import Processes, joined, reachable
from salbench_models.salgan.run_folder import Saved
from salbench_models.salgan.training import check_same_stimuli

from .scenes import rows_of, scene
from .several_processes import compared

CPU = torch.device("cpu")
COST = {"seconds", "images_per_second"}


def torchrun(*arguments, timeout=400):
    """Two processes of a script or module, on one thread each."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *map(str, arguments)],
        **{"env": environment, "capture_output": True, "text": True, "timeout": timeout},
        check=False,
    )


@pytest.fixture(scope="module")
def together(tmp_path_factory, vgg_file):
    """The folder that two processes left, of all trainings of several_processes.py."""
    out = tmp_path_factory.mktemp("together")
    done = torchrun(Path(__file__).with_name("several_processes.py"), out, vgg_file)
    assert done.returncode == 0, done.stderr
    return out


def test_two_processes_train_as_one(together, vgg_file, tmp_path):
    """Catches means of shares for the batch's, an empty share that is lost or hangs, and a gradient that is not shared.

    Both phases, an odd batch, an empty share, parts, kept features: losses and figures within 1e-4 of one process's.
    """
    job, config = compared(tmp_path, vgg_file)
    SalGAN.train(job, config)
    ours, theirs = rows_of(tmp_path), rows_of(together / "compared")
    assert len(theirs) == 3
    checked = 0
    for row, other in zip(ours, theirs, strict=True):
        assert row.keys() == other.keys()
        for column in row.keys() - {"epoch", "phase", "nss", *COST}:
            assert bool(row[column]) == bool(other[column])
            if row[column]:
                bounds = {"rel": 1e-3} if "norm" in column else {"abs": 1e-4}
                assert float(other[column]) == pytest.approx(float(row[column]), **bounds)
                checked += float(row[column]) > 1e-3
        assert float(other["nss"]) == pytest.approx(float(row["nss"]), abs=0.01)
    assert checked >= 18
    assert {path.name for path in (together / "compared").iterdir()} == {path.name for path in tmp_path.iterdir()}


def test_nothing_of_the_group_outlives_it(together):
    """Catches threads of gloo that are there when the interpreter ends: now and then that is an abort, by which a
    training that is done ends with 1.
    """
    for rank in (0, 1):
        left = (together / f"threads.{rank}").read_text()
        assert "gloo" not in left


def test_the_first_process_alone_speaks(together):
    """Catches notes and bars of every process, which would show each twice."""
    assert "training salgan" in (together / "compared.0").read_text()
    assert (together / "compared.1").read_text() == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("diverged", "RunError: training diverged: the content loss is"),
        ("fewer", "RunError: the processes of this training do not have the same number of images to train on: 4, 3"),
        ("unreadable", "DataError: toy/train: none of its 4 stimuli can be trained on"),
        ("validation", "DataError: not to be read"),
        ("device", "UsageError: device is 'cpu:0'; wanted: cpu or cuda, as 2 processes have one each"),
        ("held", "RunError: another process trains in "),
    ],
)
def test_an_error_of_one_process_is_raised_in_all(together, name, text):
    """Catches a process that waits for ever, or trains on alone, when another one failed."""
    first, second = ((together / f"{name}.{rank}").read_text() for rank in (0, 1))
    assert first.startswith(text)
    assert second == first


@pytest.fixture(scope="module")
def picture_folder(tmp_path_factory):
    """A data set of three scenes in the generic layout."""
    folder = tmp_path_factory.mktemp("pictures")
    for part in ("images", "fixations"):
        (folder / part).mkdir()
    for number in range(3):
        Image.fromarray(scene(number)).save(folder / "images" / f"{number}.png")
        (folder / "fixations" / f"{number}.csv").write_text("x,y\n10,12\n20,9\n")
    return folder


def test_the_command_line_under_torchrun(picture_folder, vgg_file, tmp_path):
    """Catches a line for every process, and a folder that one process cannot go on with.

    Two processes train the first epoch, one the second: their number is no part of what a training is.
    """
    options = ["train", "salgan", "--dataset", picture_folder, "--vgg-weights", vgg_file, "--size", "48x32"]
    options += ["--batch", "2", "--out", tmp_path, "--learning-rate", "1e-5", "--no-tensorboard", "--samples", "0"]
    done = torchrun(Path(narrow.__file__), *options, "--epochs", "1", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"checkpoint: {tmp_path / 'salgan.safetensors'}\n"
    assert done.stderr.count("epoch 1 of 1: content") == 1
    from salbench.cli import main

    assert main([*map(str, options), "--epochs", "2", "--device", "cpu"]) == 0
    assert [row["generator_steps"] for row in rows_of(tmp_path)] == ["2", "4"]


def test_a_wrong_request_is_told_once(tmp_path):
    """Catches a message for every process, a traceback of salbench, and an exit code of 0."""
    done = torchrun("-m", "salbench", "train", "salgan", "--dataset", "synthetic", "--batch", "0", "--out", tmp_path)
    assert done.returncode != 0
    assert done.stderr.count("salbench: batch is 0; wanted: 1 or more") == 1
    assert "exitcode  : 2 " in done.stderr
    assert "salbench/cli/" not in done.stderr


def test_shares_are_the_batch():
    """Catches an image that two processes have, or none: also where a batch has fewer images than there are."""
    images = torch.arange(11, dtype=torch.uint8)[:, None, None, None].expand(11, 2, 2, 3).numpy()
    data = TrainingSet(images, images[..., 0].astype("float16"))
    whole = list(data.batches(4, 3, 1, CPU))
    for count in (1, 2, 3, 5):
        shares = [list(data.batches(4, 3, 1, CPU, share=(number, count))) for number in range(count)]
        for batch, *parts in zip(whole, *shares, strict=True):
            assert torch.equal(torch.cat([part.images for part in parts]), batch.images)
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
    later = list(data.batches(4, 3, 1, CPU, first=2))
    assert len(later) == 1
    assert torch.equal(later[0].images, whole[2].images)
    assert list(data.batches(4, 3, 1, CPU, first=3)) == []


def test_processes_that_read_other_images_are_refused():
    """Catches as many images in each process that are not the same: some would be trained on twice, some never."""
    check_same_stimuli([("a", "b", "c"), ("a", "b", "c")])
    with pytest.raises(RunError, match="only some processes of this training can train on b, and 1 others"):
        check_same_stimuli([("a", "b", "c"), ("a", "c", "d")])


def test_a_launch_is_torchruns(monkeypatch):
    """Catches a lone process that waits for others because some scheduler set RANK, and ranks that are mixed up."""
    for name, value in {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert launch() == Launch()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert launch() == Launch(rank=3, count=4, local_rank=1)


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    """Catches two processes on one GPU, a GPU of another machine's number, and too few of them."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in (None, "cuda"):
        assert own_device(name, Launch(rank=3, count=4, local_rank=1)) == torch.device("cuda", 1)
    assert own_device("cpu", Launch(rank=3, count=4, local_rank=1)) == CPU
    with pytest.raises(UsageError, match="more processes here than the 2 GPUs"):
        own_device(None, Launch(rank=2, count=3, local_rank=2))
    with pytest.raises(UsageError, match="device is 'cuda:1'; wanted: cpu or cuda"):
        own_device("cuda:1", Launch(rank=0, count=2, local_rank=0))
    assert own_device("cuda:1", Launch()) == torch.device("cuda", 1)


def test_a_process_that_is_gone_is_a_run_error():
    """Catches a traceback of torch's in the processes that are left, and a guess that hides what torch said."""
    wanted = r"another process of this training has ended or cannot be reached \(Connection closed by peer\), so this"
    with pytest.raises(RunError, match=wanted), reachable():
        raise RuntimeError("Connection closed by peer\nat line 3")


def test_a_full_gpu_is_no_lost_process():
    """Catches the advice to look for another process where this one's memory is full."""
    with pytest.raises(torch.cuda.OutOfMemoryError), reachable():
        raise torch.cuda.OutOfMemoryError


def test_processes_that_cannot_join_say_so(monkeypatch):
    """Catches a start that fails, on a network that is shut, told as the end of another process."""

    def refuse(*arguments, **options):
        raise RuntimeError("connect() timed out")

    monkeypatch.setattr(processes, "launch", lambda: Launch(0, 2, 0))
    monkeypatch.setattr(processes.dist, "init_process_group", refuse)
    with pytest.raises(RunError, match=r"cannot reach each other \(connect\(\) timed out\)"), joined():
        raise AssertionError("not refused")


class Lazy(torch.Tensor):
    """A sum that fails when it is looked at, as a GPU's does."""

    def tolist(self):
        raise RuntimeError("NCCL communicator was aborted")


def test_a_sum_that_fails_late_is_explained(monkeypatch):
    """Catches a traceback where torch tells of a lost process only when the sum is read."""
    monkeypatch.setattr(processes.dist, "all_reduce", lambda tensor: None)
    monkeypatch.setattr(processes.torch, "split", lambda *_: [torch.zeros(2), torch.zeros(1).as_subclass(Lazy)])
    with pytest.raises(RunError, match="communicator was aborted"):
        Processes(Launch(0, 2, 0)).add_up([torch.nn.Parameter(torch.zeros(2))], {"loss": 1.0})


class OneOfTwo(Processes):
    """The first of two processes, which notes how the others take part."""

    def first_ahead(self, work):
        CALLS.append("first ahead")
        return work()

    def each(self, work):
        CALLS.append("each")
        return work()


CALLS = []


@pytest.mark.parametrize(
    ("weights", "learner", "wanted"),
    [("caffe", None, "first ahead"), ("vgg.pth", None, "each"), ("caffe", {}, "each")],
)
def test_the_first_process_downloads(make_job, tmp_path, monkeypatch, weights, learner, wanted):
    """Catches eight downloads of half a gigabyte at once, and processes that wait in turn where nothing is fetched."""
    CALLS.clear()
    monkeypatch.setattr(training, "Learner", Mock())
    config = SalGANConfig(vgg_weights=weights)
    training.learner_of(make_job(tmp_path), config, OneOfTwo(), Saved(learner=learner))
    assert [wanted] == CALLS


def test_a_lone_process_asks_nobody():
    """Catches a training that cannot run without a launcher."""
    alone = Processes()
    assert alone.first_alone(lambda: 1) == alone.first_ahead(lambda: 1) == alone.each(lambda: 1) == 1
    alone.agree("number", 7)
    assert alone.gathered("x") == ["x"]
