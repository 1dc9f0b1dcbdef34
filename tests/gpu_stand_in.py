"""Torch's meta device in the place of a GPU: what would a GPU have to be waited for?

A GPU works through a queue that Python fills ahead of it. Whatever needs a number from the device
(`.item()`, a mask as index, a copy to the CPU) stops Python until the queue is empty; whatever
mixes devices fails. The meta device has no numbers, so the first raises there; a dispatch mode adds
the copies from pageable memory, which wait too, and the mixtures that the meta device lets pass.
"""

import contextlib
import sys
from pathlib import Path

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

ROOT = Path(__file__).resolve().parents[1]
DEVICE = torch.device("meta")
aten = torch.ops.aten
COPIES = {aten._to_copy, aten.copy_}
SIZES = {  # the size of the result is a number on the device
    aten.nonzero, aten.bincount, aten.masked_select, aten._unique2, aten.unique_consecutive,
    aten.unique_dim, aten.histc, aten.is_nonzero, aten.equal, aten._local_scalar_dense,
}  # fmt: skip
PACKED = {aten._pack_padded_sequence, aten._pad_packed_sequence}  # lengths are on the CPU
PACKED |= {aten._pack_padded_sequence_backward}
BY_INDEX = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}


# Operations of GPUs that raise under `trainer.deterministic`, by what names them in
# https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html
UNREPEATABLE = {
    "AvgPool3d": ["avg_pool3d_backward"],
    "AdaptiveAvgPool2d": ["_adaptive_avg_pool2d_backward"],
    "AdaptiveAvgPool3d": ["_adaptive_avg_pool3d_backward"],
    "AdaptiveMaxPool2d": ["adaptive_max_pool2d_backward"],
    "FractionalMaxPool2d": ["fractional_max_pool2d_backward"],
    "FractionalMaxPool3d": ["fractional_max_pool3d_backward"],
    "MaxUnpool1d": [],  # by max_unpool2d
    "MaxUnpool2d": ["max_unpool2d"],
    "MaxUnpool3d": ["max_unpool3d"],
    "interpolate": [
        "upsample_linear1d_backward", "upsample_bilinear2d_backward",
        "upsample_bicubic2d_backward", "upsample_trilinear3d_backward",
    ],
    "ReflectionPad1d": ["reflection_pad1d_backward"],
    "ReflectionPad2d": ["reflection_pad2d_backward"],
    "ReflectionPad3d": ["reflection_pad3d_backward"],
    "NLLLoss": ["nll_loss2d_forward"],  # for images alone: its kernel for rows repeats
    "CTCLoss": ["_ctc_loss_backward"],
    "EmbeddingBag": ["_embedding_bag_dense_backward"],
    "put_": ["put_", "put"],
    "histc": ["histc"],
    "bincount": ["bincount"],
    "median": ["median"],
    "grid_sample": ["grid_sampler_2d_backward", "grid_sampler_3d_backward"],
    "cumsum": ["cumsum"],  # of floating-point numbers
    "scatter_reduce": ["scatter_reduce"],
    "resize_": [],  # of quantised tensors
}  # fmt: skip
RAISING = {getattr(aten, name) for names in UNREPEATABLE.values() for name in names}


class Waits(Exception):
    """Python would wait for the GPU."""


class Mixes(Exception):
    """Tensors of the CPU and of the GPU in one operation."""


class DoesNotRepeat(Exception):
    """A GPU has no deterministic kernel."""


class GPU(TorchDispatchMode):
    """Raises where a GPU would be waited for, but in functions that are allowed to; where devices
    are mixed; where a deterministic run would fail.

    Args:
        allowed: `file.py: function` to the reason. There the meta device's tensors read as ones.

    Attributes:
        waited: The allowed places that did wait.
    """

    def __init__(self, allowed=()):
        super().__init__()
        self.allowed, self.waited = allowed, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, packet = kwargs or {}, func.overloadpacket
        if torch.is_inference_mode_enabled():  # composite operations come here whole
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        on_gpu = [tensor for tensor in tensors if tensor.device == DEVICE]
        if packet in RAISING and on_gpu and not repeats(packet, on_gpu):
            raise DoesNotRepeat(f"{func} has no deterministic kernel, at {place()}")
        if packet in COPIES:
            return self._copy(func, args, kwargs)
        mixes = on_gpu and any(t.device != DEVICE and t.ndim for t in tensors)
        if mixes and packet not in PACKED:
            raise Mixes(f"{func} of the CPU and the GPU, at {place()}")
        if on_gpu and (packet in SIZES or by_mask(packet, args) or by_repeats(func, kwargs)):
            return self._wait(func, args, kwargs)
        return func(*args, **kwargs)

    def _copy(self, func, args, kwargs):
        target = kwargs.get("device") or args[0].device
        source = (args[1] if func.overloadpacket is aten.copy_ else args[0]).device
        if source.type == torch.device(target).type:
            return func(*args, **kwargs)
        is_async = kwargs.get("non_blocking") or (func.overloadpacket is aten.copy_ and args[2:])
        if source == DEVICE:
            return self._wait(func, args, kwargs, not is_async)
        if not is_async:
            self._note(func)
        return func(*args, **kwargs)

    def _wait(self, func, args, kwargs, waits=True):
        """The operation on ones, where waiting is allowed."""
        if waits:
            self._note(func)
        is_read = func.overloadpacket in COPIES | {aten._local_scalar_dense}
        result = func(*tree_map(ones, args), **tree_map(ones, kwargs))
        return result if is_read else tree_map(to_gpu, result)

    def _note(self, func):
        self.waited.add(forbid(func, self.allowed))


class Tensors(TorchFunctionMode):
    """Raises where numbers of Python go to the GPU: `torch.tensor([1, 2], device=)` waits."""

    def __init__(self, allowed=()):
        super().__init__()
        self.allowed = allowed

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if (
            func in (torch.tensor, torch.as_tensor)
            and torch.device(kwargs.get("device") or "cpu") == DEVICE
        ):
            forbid("torch.tensor(..., device=)", self.allowed)
        return func(*args, **kwargs)


@contextlib.contextmanager
def watched(allowed=()):
    """Raise where a GPU would be waited for; gives the `GPU`."""
    with GPU(allowed) as gpu, Tensors(allowed):
        yield gpu


def forbid(operation, allowed):
    """Raise unless waiting is allowed here; `file.py: function`."""
    where = place()
    name = where.partition(":")[0] + ": " + where.rpartition(" ")[2]
    if name not in allowed:
        raise Waits(f"{operation} waits for the GPU, at {where}")
    return name


def place():
    """`zoo/tasks/x.py:12 in step`: the innermost frame in our own code."""
    frame = sys._getframe()
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        name = frame.f_code.co_name  # `<listcomp>`: the function around it is meant
        if path.is_relative_to(ROOT / "zoo") and not name.startswith("<"):
            return f"{path.relative_to(ROOT)}:{frame.f_lineno} in {name}"
        frame = frame.f_back
    return "no code of zoo"


def repeats(packet, tensors):
    """Whether an operation repeats bit for bit for some types: `cumsum` of whole numbers,
    `bincount` without weights."""
    if packet is aten.cumsum:
        return not tensors[0].is_floating_point()
    return packet is aten.bincount and len(tensors) == 1


def by_mask(packet, args):
    """Whether an index is a mask: where it is true decides the result's size."""
    indices = tree_leaves(args[1]) if packet in BY_INDEX else []
    return any(getattr(i, "dtype", None) in (torch.bool, torch.uint8) for i in indices)


def by_repeats(func, kwargs):
    """Whether `repeat_interleave` has to add up its counts to know the result's size."""
    return func is aten.repeat_interleave.Tensor and kwargs.get("output_size") is None


def ones(leaf):
    """Ones in the place of a tensor of the meta device."""
    if isinstance(leaf, torch.Tensor) and leaf.device == DEVICE:
        return torch.ones(leaf.shape, dtype=leaf.dtype)
    return leaf


def to_gpu(leaf):
    return leaf.to(DEVICE, non_blocking=True) if isinstance(leaf, torch.Tensor) else leaf
