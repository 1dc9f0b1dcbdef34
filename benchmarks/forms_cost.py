"""What the forms of benchmarks/forms.py cost: parameters, operations, memory and speed of
generation by the length of the text."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.forms import BUDGETS, LABELS, SEEDS, read, renew, settings
from benchmarks.interleave import run_interleaved
from zoo.build import build_model
from zoo.config import compose
from zoo.inference.generation import Sampling, generate
from zoo.layers.cache import KVCache
from zoo.layers.mixture import Mixture
from zoo.models.mamba import Mamba
from zoo.training.products import ProductCounter

SPEED = "shakespeare"  # of whose models the speed is measured: the small ones
LENGTHS = (256, 512, 1024, 2048, 4096, 8192)  # tokens before those that are generated
NEW = 32
SCAN = 7  # operations for each number of Mamba's state: see `training_flops`


def forms(rounds: int) -> None:
    """Measure all forms on one core; write the figures, and the tables of docs/language.md."""
    torch.set_num_threads(1)
    content = read()
    for budget, text in BUDGETS.items():
        for form in LABELS:
            row = content.setdefault(budget, {}).setdefault(form, {})
            model = build(budget, form, 2 * text.context)
            row["parameters"], row["active"] = parameters(build(budget, form, text.context))
            row["flops"] = training_flops(model, text.context)
            row["cache"] = cache_bytes(model, text.context)
    rows = content[SPEED]
    for row in rows.values():
        row["speed"] = {}
    for length in LENGTHS:
        print(f"{length} tokens before")
        models = {form: build(SPEED, form, length + NEW + 1) for form in LABELS}
        cases = {form: partial(speed, model, length) for form, model in models.items()}
        for form, values in run_interleaved(cases, rounds, "tokens/s").items():
            rows[form]["speed"][str(length)] = sorted(values)[len(values) // 2]
    renew(content)


def build(budget: str, form: str, context: int) -> nn.Module:
    """The model of a form for texts of some length, in evaluation mode; its weights are random."""
    config = compose.load(list(settings(budget, form)))
    facts = {"vocab_size": BUDGETS[budget].vocabulary, "block_size": context}
    return build_model(config, facts, None, None)[0].eval()


def parameters(model: nn.Module) -> tuple[int, int]:
    """All, and those that compute a token: without the experts that it does not take."""
    total = sum(p.numel() for p in model.parameters())
    idle = 0
    for mixture in model.modules():
        if isinstance(mixture, Mixture):
            stacked = mixture.up.weight.numel() + mixture.down.weight.numel()
            idle += stacked * (mixture.experts - mixture.active) // mixture.experts
    return total, total - idle


@torch.no_grad()
def training_flops(model: nn.Module, context: int) -> int:
    """Floating-point operations of a training step, for each of `context` tokens.

    Those of the forward pass's matrix products, attention to all positions included, and of
    Mamba's recurrence, whose every number of state is decayed (a product, an exponential, a
    product), written (a product, a sum) and read (a product, a sum); three times, since the
    backward pass has twice as many (Kaplan et al., 2020, arXiv:2001.08361, section 2.1).
    """
    with ProductCounter() as counter:
        model(torch.zeros(1, context, dtype=torch.int64))
    flops = counter.products.flops // context
    if isinstance(model, Mamba):
        flops += SCAN * sum(state.state.numel() for state in model.new_cache(1))
    return 3 * flops


@torch.no_grad()
def cache_bytes(model: Any, tokens: int) -> dict[str, int]:
    """What generation keeps of one sequence: `token`, by which it grows with each token, and
    `fixed`, which is there however short the text. By texts of `tokens` and twice as many."""
    sizes = []
    for length in (tokens, 2 * tokens):
        cache = model.new_cache(1)
        model(torch.zeros(1, length, dtype=torch.int64), cache)
        sizes.append(sum(t.numel() * t.element_size() for part in cache for t in _kept(part)))
    token = (sizes[1] - sizes[0]) // tokens
    return {"token": token, "fixed": sizes[0] - token * tokens}


def _kept(part: Any) -> Iterator[Tensor]:
    """The tensors of one layer's cache, without the room for tokens to come."""
    if isinstance(part, KVCache):
        assert part._kv is not None
        yield part._kv[:, :, : part.length]
        return
    for value in vars(part).values():
        tensors = value if isinstance(value, tuple) else (value,)
        yield from (t for t in tensors if isinstance(t, Tensor))


def speed(model: Any, length: int) -> float:
    """Tokens per second of processor time, greedy, after `length` tokens that have been read."""
    vocabulary = BUDGETS[SPEED].vocabulary
    prompt = torch.randint(vocabulary, (length,), generator=torch.Generator().manual_seed(SEEDS[0]))
    steps = generate(model, [prompt.tolist()], NEW + 1, Sampling(temperature=0))
    next(steps)
    start = time.process_time()
    for _ in steps:
        pass
    return NEW / (time.process_time() - start)
