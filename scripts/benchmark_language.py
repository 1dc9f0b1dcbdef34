"""Language models beside Hugging Face's of equal size: the part of benchmark.py that needs them.

Hugging Face's models are measured where they are installed (`pip install transformers`).
"""

import itertools
import time
from collections.abc import Callable
from typing import Any

from benchmark import race

from zoo.errors import UserError

WIDTH, DEPTH, HEADS, VOCABULARY, CONTEXT = 384, 6, 6, 256, 256
PROMPT, NEW = 32, 128  # tokens


def hugging_face() -> Any:
    """The module `transformers`, quiet and offline."""
    import os

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import transformers
    except ImportError:
        raise UserError("needs Hugging Face's models: pip install transformers") from None
    transformers.logging.set_verbosity_error()
    return transformers


def gpt_pair() -> tuple[Any, Any]:
    """Hugging Face's GPT-2 and ours, with the same weights, evaluating."""
    import torch

    from zoo.models.gpt import GPT

    module = hugging_face()
    config = module.GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=CONTEXT,
        n_embd=WIDTH,
        n_layer=DEPTH,
        n_head=HEADS,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=None,
    )
    torch.manual_seed(0)
    theirs = module.GPT2LMHeadModel(config).eval()
    ours = GPT(VOCABULARY, CONTEXT, WIDTH, DEPTH, HEADS).eval()
    ours.load_state_dict(from_gpt2(theirs.state_dict()))
    return theirs, ours


def from_gpt2(weights: dict[str, Any]) -> dict[str, Any]:
    """Our names for GPT-2's weights; their matrices are (in, out), ours (out, in)."""
    names = {
        "transformer.wte": "embedding",
        "transformer.wpe": "position",
        "transformer.ln_f": "norm",
        "transformer.h.": "blocks.",
        "ln_1": "attention_norm",
        "ln_2": "feed_forward_norm",
        "attn.c_attn": "attention.qkv",
        "attn.c_proj": "attention.out",
        "mlp.c_fc": "feed_forward.up",
        "mlp.c_proj": "feed_forward.down",
        "lm_head": "head",
    }
    mapped = {}
    for name, tensor in weights.items():
        turned = name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
        for theirs, ours in names.items():
            name = name.replace(theirs, ours)
        mapped[name] = tensor.T if turned else tensor
    return mapped


def generation(rounds: int, threads: int) -> None:
    """Greedy text from the same weights, batch 1, fp32: tokens per second."""
    import torch

    from zoo.inference.generation import Sampling, generate

    torch.set_num_threads(threads)
    theirs, ours = gpt_pair()
    prompt = torch.randint(VOCABULARY, (1, PROMPT))

    def hugging_face_generate() -> list[int]:
        found = theirs.generate(
            prompt, max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False, pad_token_id=0
        )
        return found[0, PROMPT:].tolist()

    def zoo_generate() -> list[int]:
        return [one for (one,) in generate(ours, prompt.tolist(), NEW, Sampling(temperature=0))]

    same = hugging_face_generate() == zoo_generate()
    print(
        f"{NEW} tokens behind {PROMPT}, {threads} threads; same tokens: {'yes' if same else 'NO'}"
    )
    cases = {"Hugging Face GPT2LMHeadModel": hugging_face_generate, "zoo gpt": zoo_generate}
    race({name: tokens_per_second(work) for name, work in cases.items()}, rounds, "tokens/s")


def tokens_per_second(work: Callable[[], Any]) -> Callable[[], float]:
    """A case for `race`."""

    def case() -> float:
        start = time.perf_counter()
        work()
        return NEW / (time.perf_counter() - start)

    return case


BATCH = 16
STEPS = 3  # a round


def gpt(rounds: int, threads: int) -> None:
    """Training steps of GPT-2's architecture, fused AdamW on both sides: tokens per second."""
    import torch

    from zoo.tasks.causal_lm import CausalLM

    torch.set_num_threads(threads)
    batches = torch.randint(VOCABULARY, (64, BATCH, CONTEXT + 1))
    task = CausalLM([1] * VOCABULARY, None)

    def same(tokens: Any) -> dict[str, Any]:
        return {"input_ids": tokens[:, :-1], "labels": tokens[:, :-1]}  # they shift by themselves

    for precision in ("fp32", "bf16"):
        theirs, ours = gpt_pair()
        print(f"{precision}: {BATCH} x {CONTEXT} tokens a step, {threads} threads")
        cases = {
            "Hugging Face GPT2LMHeadModel": hugging_face_steps(theirs, same, batches, precision),
            "zoo gpt": zoo_steps(ours, task, batches, precision),
        }
        race(cases, rounds, "tokens/s")


def hugging_face_steps(
    model: Any, feed: Callable[[Any], dict[str, Any]], batches: Any, precision: str
) -> Callable[[], float]:
    """Steps as Hugging Face's documentation writes them; `feed` makes their inputs of a batch."""
    import torch

    optimizer = torch.optim.AdamW(model.train().parameters(), lr=3e-4, fused=True)
    inputs = itertools.cycle([feed(batch) for batch in batches])

    def case() -> float:
        start = time.perf_counter()
        for _ in range(STEPS):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                loss = model(**next(inputs)).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return STEPS * batches[0, :, :-1].numel() / (time.perf_counter() - start)

    return case


def zoo_steps(model: Any, task: Any, batches: Any, precision: str) -> Callable[[], float]:
    """Steps as our trainer takes them."""
    import torch

    from zoo.registry import OPTIMIZERS
    from zoo.training.precision import Precision
    from zoo.training.runtime import Runtime
    from zoo.training.step import Window, accumulate_gradients

    device = torch.device("cpu")
    optimizer = OPTIMIZERS.build({"name": "adamw", "lr": 3e-4}, model=model.train())
    window = Window()
    parts = (Precision(precision, device), Runtime(device), window)
    inputs = itertools.cycle({"input": batch} for batch in batches)

    def case() -> float:
        start = time.perf_counter()
        for _ in range(STEPS):
            accumulate_gradients(model, task, [next(inputs)], *parts)
            optimizer.step()
            for parameter in model.parameters():
                parameter.grad = None
        window.take()
        return STEPS * batches[0, :, :-1].numel() / (time.perf_counter() - start)

    return case


def bert(rounds: int, threads: int) -> None:
    """Training steps of BERT's architecture, 8 x 128 tokens: theirs come masked, ours mask them."""
    import torch

    from zoo.data.tokenizer import ByteTokenizer
    from zoo.models.bert import BERT
    from zoo.tasks.masked_lm import MaskedLM

    torch.set_num_threads(threads)
    size, batch, length, width, depth, heads = 8192, 8, 128, 256, 6, 4
    batches = torch.randint(1, size, (16, batch, length + 1))
    task = MaskedLM(size, ByteTokenizer(["[MASK]"]), 0)

    def hidden(tokens: Any) -> dict[str, Any]:
        masked = task.mask({"input": tokens}, training=True)
        labels = torch.full((batch * length,), -100)
        labels[masked.at] = masked.target
        return {"input_ids": masked.shown, "labels": labels.view(batch, length)}

    module = hugging_face()
    config = module.BertConfig(
        vocab_size=size,
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=length,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    for precision in ("fp32", "bf16"):
        theirs = module.BertForMaskedLM(config)
        ours = BERT(size, length, width, depth, heads, dropout=0.0)
        sizes = [sum(p.numel() for p in model.parameters()) for model in (theirs, ours)]
        print(
            f"{precision}: {batch} x {length} tokens a step, parameters {sizes}, {threads} threads"
        )
        cases = {
            "Hugging Face BertForMaskedLM": hugging_face_steps(theirs, hidden, batches, precision),
            "zoo bert": zoo_steps(ours, task, batches, precision),
        }
        race(cases, rounds, "tokens/s")
