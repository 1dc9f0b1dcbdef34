"""Where training runs: device, ranks, random numbers, precision."""

import contextlib
import ctypes
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from zoo.errors import UserError
from zoo.kernels import kernel_choice
from zoo.rng import mix_seed

DEVICE_TYPES = ("cuda", "mps", "xpu", "cpu")
NUMBERED = ("cuda", "xpu")
STEP_TIMEOUT = timedelta(minutes=10)  # within which every rank must come to the same operation
WAIT_TIMEOUT = timedelta(days=1)  # while rank 0 downloads, tokenises, draws, saves


def tune_malloc() -> None:
    """Have glibc keep freed memory for the tensors of the next step.

    It returns large pieces to the system at once; getting them again costs a page fault every
    4 KiB, which took a third of a Transformer's step. Those above 32 MiB are still returned: they
    leave gaps that nothing else fits into. Other C libraries are left as they are.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  # the numbers below are glibc's
        for option, value in ((-3, 2**25), (-1, 2**31 - 1), (-2, 2**26)):
            libc.mallopt(option, value)  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD of malloc.h


def available(kind: str) -> bool:
    """Whether this torch can compute on a kind of device, here."""
    if kind == "cpu":
        return True
    if kind == "mps":
        return torch.backends.mps.is_available()
    return getattr(torch, kind).is_available()


def choose_device(name: str, local_rank: int = 0, local_ranks: int = 1) -> torch.device:
    """The device named, or for `auto` the first of cuda, mps, xpu, cpu that is there.

    Args:
        name: `trainer.device`.
        local_rank: Number of this process among those of the machine, each with a device.
        local_ranks: How many there are.

    Raises:
        UserError: A device that torch does not know or that this machine lacks; fewer devices than
            processes.
    """
    if name == "auto":
        name = next(kind for kind in DEVICE_TYPES if available(kind))
    kind, _, number = name.partition(":")
    if kind not in DEVICE_TYPES or (number and not number.isdigit()):
        raise UserError(
            f"unknown trainer.device '{name}' (one of: auto, the first GPU or else the CPU; cuda, "
            "of NVIDIA or AMD; mps, of Apple; xpu, of Intel; cpu)"
        )
    if number and local_ranks > 1:
        raise UserError(
            f"trainer.device={name}: {local_ranks} processes on this machine would share one "
            f"device; trainer.device={kind} gives each its own"
        )
    if not available(kind):
        present = ", ".join(k for k in DEVICE_TYPES if available(k))
        raise UserError(
            f"trainer.device={name}: torch finds no {kind} device here (it has: {present})"
        )
    if kind in NUMBERED:
        index, count = int(number or local_rank), getattr(torch, kind).device_count()
        if index + (local_ranks - 1 - local_rank) >= count:
            needed = f"{local_ranks} devices" if local_ranks > 1 else f"{kind}:{index}"
            raise UserError(f"trainer.device={name}: {needed} requested, {count} present")
        return torch.device(kind, index)
    return torch.device(kind)


def backend_of(device: torch.device) -> str:
    """How ranks communicate: gloo for tensors of the CPU, the device's own library for the rest."""
    library = {"cuda": "nccl", "xpu": "xccl"}.get(device.type)
    return f"cpu:gloo,{device.type}:{library}" if library else "gloo"


def join_ranks(device: torch.device) -> None:
    """Join the other ranks.

    Each attempt has a prefix of its own in the store, which torchrun keeps over its restarts: ranks
    would find the addresses of those before them.
    """
    store, rank, ranks = next(dist.rendezvous("env://"))
    store = dist.PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
    dist.init_process_group(
        backend_of(device),
        timeout=STEP_TIMEOUT,
        store=store,
        rank=rank,
        world_size=ranks,
        device_id=device if device.type == "cuda" else None,
    )


@dataclass
class Runtime:
    """This process's device and its place among the ranks.

    Attributes:
        device: The device.
        rank, ranks: Its number, from 0, and how many there are.
        waiting: The process group in which ranks wait for what one of them does; None for the
            default one.
    """

    device: torch.device
    rank: int = 0
    ranks: int = 1
    waiting: Any = None

    @classmethod
    def start(cls, device: str) -> "Runtime":
        """Read the rank that torchrun (or our own launcher) set, and join the other ranks."""
        rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        places = (int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
        chosen = choose_device(device, *places)
        if chosen.type == "cpu":
            tune_malloc()
        if chosen.type == "cuda":
            torch.cuda.set_device(chosen)
        waiting = None
        if ranks > 1 and not dist.is_initialized():
            join_ranks(chosen)
            waiting = dist.new_group(backend="gloo", timeout=WAIT_TIMEOUT)
        return cls(chosen, rank, ranks, waiting)

    @property
    def main(self) -> bool:
        """Whether this rank writes files and talks to the user."""
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over ranks, the same on each."""
        if self.ranks > 1:
            dist.all_reduce(tensor)
        return tensor

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, in the order of ranks, on each of them."""
        if self.ranks == 1:
            return [value]
        values: list[Any] = [None] * self.ranks
        dist.all_gather_object(values, value, self.waiting)
        return values

    def first(self, value: Any) -> Any:
        """Rank 0's value, on each rank."""
        if self.ranks == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, group=self.waiting)
        return box[0]

    def stop(self) -> None:
        """Leave the other ranks."""
        if self.ranks > 1 and dist.is_initialized():
            dist.destroy_process_group()

    def free_bytes(self) -> int:
        """Free memory of the device; a modest guess where torch cannot tell."""
        if self.device.type == "cuda":
            return torch.cuda.mem_get_info(self.device)[0]
        return 8 * 2**30

    def peak_bytes(self) -> int:
        """Peak memory of the tensors on the device; on a CPU, of the whole process."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        with contextlib.suppress(ImportError):
            import resource
            import sys

            unit = 1 if sys.platform == "darwin" else 1024
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return 0

    def reset_peak(self) -> None:
        """Measure `peak_bytes` from here on; a process's own, on a CPU, cannot be reset."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    def synchronize(self) -> None:
        """Wait until the device has finished its work (before reading a clock)."""
        if self.device.type != "cpu":
            getattr(torch, self.device.type).synchronize()


def seed_everything(seed: int, rank: int = 0) -> None:
    """Seed torch (all devices) and Python; ranks differ, so that dropout does."""
    torch.manual_seed(mix_seed(seed, rank))
    random.seed(mix_seed(seed, rank))


def rng_state(device: torch.device) -> dict[str, Tensor]:
    """The state of every generator that training draws from, as tensors."""
    version, numbers, gauss = random.getstate()
    state = {
        "torch": torch.get_rng_state(),
        "python": torch.tensor([version, *numbers]),
        "gauss": torch.tensor([] if gauss is None else [gauss], dtype=torch.float64),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type in ("mps", "xpu"):
        state[device.type] = getattr(torch, device.type).get_rng_state()
    return state


def set_rng_state(device: torch.device, state: dict[str, Tensor]) -> None:
    """Restore the state that `rng_state` returned."""
    torch.set_rng_state(state["torch"])
    version, *numbers = state["python"].tolist()
    random.setstate((version, tuple(numbers), next(iter(state["gauss"].tolist()), None)))
    if device.type in state:
        if device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], device)
        else:
            getattr(torch, device.type).set_rng_state(state[device.type])


@contextlib.contextmanager
def forked_rng(device: torch.device, seed: int) -> Iterator[None]:
    """Random numbers of their own inside; outside they continue as if nothing had been drawn."""
    state = rng_state(device)
    torch.manual_seed(seed)
    random.seed(seed)
    try:
        yield
    finally:
        set_rng_state(device, state)


@contextlib.contextmanager
def deterministic(on: bool) -> Iterator[None]:
    """Demand kernels that repeat bit for bit: an operation without one raises an error."""
    if not on:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    mode, benchmark = torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        torch.backends.cudnn.benchmark = benchmark


def environment(runtime: Runtime) -> dict[str, Any]:
    """Versions and settings that bit-exactness depends on; a resumed run compares it."""
    import platform

    device = runtime.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    processor = capabilities.get("cpu_name", "")
    return {
        "torch": torch.__version__,
        "device": f"{device.type} {name}".strip(),
        "processor": f"{processor} {torch.backends.cpu.get_cpu_capability()}".strip(),
        "kernels": kernel_choice(),
        "threads": torch.get_num_threads(),
        "ranks": runtime.ranks,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
