"""Devices, random numbers, signals, ranks started on this machine."""

import json
import os
import platform
import random
import signal
import subprocess
import sys
import threading

import forked
import killed
import pytest
import torch
from toys import CPU

from zoo.errors import UserError
from zoo.training.launch import launched
from zoo.training.runtime import (
    Clock,
    Runtime,
    choose_device,
    deterministic,
    environment,
    forked_rng,
    rng_state,
    seed_everything,
    set_rng_state,
)
from zoo.training.signals import StopSignals


def drawn():
    return torch.rand(3).tolist(), random.random(), random.gauss(0, 1)


def test_random_numbers_come_back():
    seed_everything(3)
    random.gauss(0, 1)  # leaves a second number in store
    state = rng_state(CPU)
    first = drawn()
    drawn()
    set_rng_state(CPU, state)
    assert drawn() == first
    assert all(isinstance(t, torch.Tensor) for t in state.values())


def test_forked_random_numbers_are_their_own():
    seed_everything(3)
    outside = drawn(), drawn()
    seed_everything(3)
    first = drawn()
    with forked_rng(CPU, 5):
        inside = drawn()
    assert (first, drawn()) == outside
    with pytest.raises(KeyError), forked_rng(CPU, 5):
        assert drawn() == inside
        raise KeyError


def test_ranks_draw_other_numbers():
    seen = set()
    for rank in range(4):
        seed_everything(0, rank)
        seen.add(torch.rand(1).item())
    assert len(seen) == 4


def test_devices():
    assert choose_device("cpu") == CPU and choose_device("auto").type in ("cpu", "cuda", "mps")
    for name in ("gpu", "cuda:x", "tpu", ""):
        with pytest.raises(UserError, match="unknown trainer.device"):
            choose_device(name)
    assert Runtime.start("cpu") == Runtime(CPU, 0, 1) and not launched()


def test_the_environment_is_json_and_says_what_bits_depend_on():
    found = environment(Runtime(CPU, 1, 3))
    assert json.loads(json.dumps(found)) == found
    assert found["ranks"] == 3 and found["threads"] == 1 and found["torch"] == torch.__version__


@pytest.mark.parametrize("found, name", [({"cpu_name": "AMD EPYC"}, "AMD EPYC "), ({}, "")])
def test_the_environment_names_the_processor_where_torch_knows_it(found, name, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    kernels = torch.backends.cpu.get_cpu_capability()
    assert environment(Runtime(CPU))["processor"] == name + kernels
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert environment(Runtime(CPU))["processor"] == kernels


def test_deterministic_only_inside():
    with deterministic(True):
        assert torch.are_deterministic_algorithms_enabled()
    with deterministic(False):
        assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_clock_counts_earlier_sessions(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    clock = Clock()
    now[0] = 103.0
    assert clock.seconds == 3.0
    clock.restart(50.0)
    now[0] = 104.5
    assert clock.seconds == 51.5


# ---------------------------------------------------------------------------------- signals


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_a_signal_is_remembered_and_the_handler_put_back(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    signals = StopSignals()
    with signals.caught():
        assert signals.received is None
        os.kill(os.getpid(), number)
        assert signals.received == number
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.received == number  # the first one stands
    assert signal.getsignal(number) is before


def test_outside_the_main_thread_signals_go_elsewhere():
    told = []

    def work():
        with StopSignals().caught() as signals:
            told.append(signals.received)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert told == [None]


# ----------------------------------------------------------------------------------- ranks


TEXT = ("data=text", "data.path={text}", "data.root={root}", "data.block_size=8")
PAIRS = ("data=numbers", "data.size=150", "task=seq2seq", "model.width=8")
FAMILIES = {
    "mlp": ("model=mlp", "model.width=8", "data=rain", "data.samples=120"),
    "gpt": (
        "model=gpt", "model.width=8", "model.depth=1", "model.heads=2", "task=causal_lm", *TEXT,
    ),
    "lstm": ("model=rnn", "model.width=8", "model.depth=1", "task=causal_lm", *TEXT),
    "bert, muon": (
        "model=bert", "model.width=8", "model.depth=1", "model.heads=2", "model.dropout=0",
        "task=masked_lm", "data.mask_token=true", "optim=muon", "optim.lr=1e-3", *TEXT,
    ),
    "transformer, padding": (
        "model=transformer", "model.depth=1", "model.heads=2", "model.dropout=0", *PAIRS,
    ),
    "rnn_attention, padding": ("model=rnn_attention", "model.dropout=0", *PAIRS),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_two_devices_end_where_one_does(family, train, tmp_path):
    """The real launcher: two processes of this machine, one run directory."""
    text = tmp_path / "text.txt"
    text.write_text("".join(random.Random(0).choices("abcde \n", k=3000)))
    small = [part.format(text=text, root=tmp_path) for part in family]
    small += ["data.batch_size=18", "trainer=debug", "trainer.precision=fp32", "seed=3"]
    paths = []
    for devices in (1, 2):
        folder = train.outputs / str(devices)
        found = train(*small, f"trainer.devices={devices}", f"output_dir={folder}")
        assert found.code == 0, found.err
        paths += folder.glob("*/*")
    figures = [[json.loads(row) for row in (p / "metrics.jsonl").open()] for p in paths]
    assert len(figures[0]) == len(figures[1]) > 0
    for a, b in zip(*figures):
        assert (a["step"], a["split"]) == (b["step"], b["split"])
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
    result = json.loads((paths[1] / "result.json").read_text())
    assert result["status"] == "done" and result["environment"]["ranks"] == 2


def test_word2vec_on_two_devices(train, tmp_path):
    """Each rank draws its own noise words: the same objective, other random numbers."""
    text = tmp_path / "text.txt"
    text.write_text(
        " ".join(random.Random(0).choices(["the", "cat", "and", "a", "dog", "ran", "home"], k=4000))
    )
    small = (
        "model=word2vec", "model.width=4", "task=skip_gram", "data=text", f"data.path={text}",
        f"data.root={tmp_path}", "data.tokenizer=word", "data.block_size=16", "data.batch_size=8",
        "optim=row_adagrad", "trainer=debug", "seed=3",
    )  # fmt: skip
    losses = []
    for devices in (1, 2):
        folder = train.outputs / str(devices)
        assert train(*small, f"trainer.devices={devices}", f"output_dir={folder}").code == 0
        (path,) = folder.glob("*/*")
        losses.append(json.loads((path / "result.json").read_text())["test"]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_a_mistake_on_two_ranks_is_told_once(tmp_path):
    mistake = ["model=mlp", "data=rain", "trainer=debug", "trainer.devices=2", "data.batch_size=1"]
    log = tmp_path / "log"
    assert forked.call(log, killed.train, [*mistake, f"output_dir={tmp_path}"]) == 2
    said = log.read_text()
    assert said.count("error: ") == 1 and "cannot be cut" in said and "Traceback" not in said


KEPT = """
import resource, torch
from zoo.training.runtime import tune_malloc

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        [torch.ones(6_000_000) for _ in range(6)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

without = faults()
tune_malloc()
faults()
print(without, faults())
"""


@pytest.mark.skipif("glibc" not in platform.libc_ver(), reason="another C library")
def test_memory_is_kept_from_step_to_step():
    """From where glibc gives back what it can; left to itself it learns to, now and then."""
    tunables = "glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=131072"
    found = subprocess.run(
        [sys.executable, "-c", KEPT],
        env={**os.environ, "GLIBC_TUNABLES": tunables},
        capture_output=True,
        text=True,
        check=True,
    )
    without, kept = map(int, found.stdout.split())
    assert kept < without / 10
