"""Language models beside Hugging Face's of equal size: the part of benchmark.py that needs them.

Hugging Face's models are measured where they are installed (`pip install transformers`).
"""

import contextlib
import itertools
import multiprocessing
import time
from collections.abc import Callable
from typing import Any

from benchmark_race import race

from zoo.errors import UserError

WIDTH, DEPTH, HEADS, VOCABULARY, CONTEXT = 384, 6, 6, 4096, 256
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
    from zoo.weights.gpt2 import GPT2
    from zoo.weights.load import load_weights

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
    load_weights(ours, GPT2.ours(theirs.state_dict(), {"depth": DEPTH}), "theirs", [], [])
    return theirs, ours


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
    cases = {"Hugging Face GPT2LMHeadModel": hugging_face_gpt, "zoo gpt": zoo_gpt}
    race_training(cases, (BATCH, CONTEXT), rounds, threads)


def race_training(makers: Any, size: tuple[int, int], rounds: int, threads: int) -> None:
    """In fp32, then in bf16: what makes the case of a precision, by name; `size` (texts, tokens of
    each) of a step is for the printout."""
    hugging_face()
    for precision in ("fp32", "bf16"):
        print(f"{precision}: {size[0]} x {size[1]} tokens a step, {threads} threads")
        cases = {name: apart(make, precision, threads) for name, make in makers.items()}
        race(cases, rounds, "tokens/s")


def hugging_face_gpt(precision: str) -> Callable[[], float]:
    """Their GPT-2, which shifts the labels by itself."""
    model, _ = gpt_pair()
    shift = [{"input_ids": one[:, :-1], "labels": one[:, :-1]} for one in gpt_batches()]
    return hugging_face_steps(model, shift, precision)


def zoo_gpt(precision: str) -> Callable[[], float]:
    """Ours, of the same weights."""
    from zoo.tasks.causal_lm import CausalLM

    start()
    _, model = gpt_pair()
    return zoo_steps(model, CausalLM([1] * VOCABULARY, None), gpt_batches(), precision)


def gpt_batches() -> Any:
    """Random tokens, int64 (64, B, T + 1)."""
    import torch

    return torch.randint(VOCABULARY, (64, BATCH, CONTEXT + 1))


SENTENCES, LENGTH = 8, 128
BERT = dict(vocabulary=8192, width=256, depth=6, heads=4)


def bert(rounds: int, threads: int) -> None:
    """Training steps of BERT's architecture, 8 x 128 tokens: theirs come masked, ours mask them."""
    cases = {"Hugging Face BertForMaskedLM": hugging_face_bert, "zoo bert": zoo_bert}
    race_training(cases, (SENTENCES, LENGTH), rounds, threads)


def hugging_face_bert(precision: str) -> Callable[[], float]:
    """Their BERT, whose texts are masked beforehand."""
    import torch

    task, batches = bert_task()
    module = hugging_face()
    config = module.BertConfig(
        vocab_size=BERT["vocabulary"],
        hidden_size=BERT["width"],
        num_hidden_layers=BERT["depth"],
        num_attention_heads=BERT["heads"],
        intermediate_size=4 * BERT["width"],
        max_position_embeddings=LENGTH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )

    def hidden(tokens: Any) -> dict[str, Any]:
        masked = task.mask({"input": tokens}, training=True)
        labels = torch.full((SENTENCES * LENGTH,), -100)
        labels[masked.at] = masked.target
        return {"input_ids": masked.shown, "labels": labels.view(SENTENCES, LENGTH)}

    model = module.BertForMaskedLM(config)
    return hugging_face_steps(model, [hidden(batch) for batch in batches], precision)


def zoo_bert(precision: str) -> Callable[[], float]:
    """Ours, of the same size; masking is part of a step."""
    from zoo.models.bert import BERT as Model

    start()
    task, batches = bert_task()
    sizes = BERT["vocabulary"], LENGTH, BERT["width"], BERT["depth"], BERT["heads"]
    return zoo_steps(Model(*sizes, dropout=0.0), task, batches, precision)


def bert_task() -> tuple[Any, Any]:
    """The task, and random tokens, int64 (16, B, T + 1)."""
    import torch

    from zoo.data.tokenizers.registry import ByteTokenizer
    from zoo.tasks.masked_lm import MaskedLM

    task = MaskedLM(BERT["vocabulary"], ByteTokenizer(["[MASK]"]), 0)
    return task, torch.randint(1, BERT["vocabulary"], (16, SENTENCES, LENGTH + 1))


def apart(make: Callable[[str], Callable[[], float]], precision: str, threads: int) -> Any:
    """A case in a process of its own, so that neither side profits from what the other set up:
    ours starts as train.py does, theirs as torch comes."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    arguments = (there, make, precision, threads)
    context.Process(target=serve, args=arguments, daemon=True).start()
    here.recv()  # it is ready: what it tried out had the machine to itself

    def case(asked: str | None = None) -> float:
        here.send(asked)
        return here.recv()

    return case


def serve(
    pipe: Any, make: Callable[[str], Callable[[], float]], precision: str, threads: int
) -> None:
    """Run a case each time that it is asked for."""
    import torch

    torch.set_num_threads(threads)
    case = make(precision)
    pipe.send("ready")
    with contextlib.suppress(EOFError):  # the other end has closed
        while True:
            asked = pipe.recv()
            pipe.send(peak() if asked == "peak" else case())


def peak() -> float:
    """The most memory that this process has held so far, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def hugging_face_steps(
    model: Any, inputs: list[dict[str, Any]], precision: str
) -> Callable[[], float]:
    """Steps as Hugging Face's documentation writes them."""
    import torch

    optimizer = torch.optim.AdamW(model.train().parameters(), lr=3e-4, fused=True)
    tokens, endless = inputs[0]["input_ids"].numel(), itertools.cycle(inputs)

    def case() -> float:
        start = time.perf_counter()
        for _ in range(STEPS):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                loss = model(**next(endless)).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return STEPS * tokens / (time.perf_counter() - start)

    return case


def start() -> Any:
    """What train.py does before it makes a tensor: memory is kept, and comes in large pages."""
    from zoo.training.runtime import Runtime

    return Runtime.start("cpu")


def zoo_steps(model: Any, task: Any, batches: Any, precision: str) -> Callable[[], float]:
    """Steps as our trainer takes them."""
    from zoo.registry import OPTIMIZERS
    from zoo.training.precision import Precision
    from zoo.training.step import RunningMetrics, accumulate_gradients

    runtime, window = start(), RunningMetrics()
    optimizer = OPTIMIZERS.build({"name": "adamw", "lr": 3e-4}, model=model.train())
    parts = (Precision(precision, runtime.device), runtime, window)
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
