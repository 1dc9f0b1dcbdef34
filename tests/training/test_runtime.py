"""Devices, random numbers, the environment, the clock, memory."""

import json
import os
import platform
import random
import subprocess
import sys

import pytest
import torch
from toys import CPU

from zoo.errors import UserError
from zoo.training.launch import launched
from zoo.training.runtime import (
    Runtime,
    backend_of,
    choose_device,
    deterministic,
    environment,
    forked_rng,
    rng_state,
    seed_everything,
    set_rng_state,
)


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


def test_processes_of_one_machine_do_not_share_a_device(monkeypatch):
    with pytest.raises(UserError, match=r"8 processes .* share one device; trainer.device=cuda "):
        choose_device("cuda:0", 3, 8)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [choose_device("cuda", rank, 2).index for rank in range(2)] == [0, 1]
    assert choose_device("cuda:1").index == 1
    for rank in range(3):  # all refuse: none waits for the one that has no device
        with pytest.raises(UserError, match="3 devices requested, 2 present"):
            choose_device("cuda", rank, 3)


def test_gpus_have_their_own_library_and_the_cpu_has_gloo():
    assert backend_of(CPU) == "gloo"
    assert backend_of(torch.device("cuda", 3)) == "cpu:gloo,cuda:nccl"


def test_the_environment_is_json_and_says_what_bits_depend_on():
    facts = environment(Runtime(CPU, 1, 3))
    assert json.loads(json.dumps(facts)) == facts
    assert facts["ranks"] == 3 and facts["threads"] == 1 and facts["torch"] == torch.__version__


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
    done = subprocess.run(
        [sys.executable, "-c", KEPT],
        env={**os.environ, "GLIBC_TUNABLES": tunables},
        capture_output=True,
        text=True,
        check=True,
    )
    without, kept = map(int, done.stdout.split())
    assert kept < without / 10
