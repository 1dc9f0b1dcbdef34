"""GPT and BERT compared with Hugging Face's of equal size: text generation, training steps."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.interleave import Case, run_interleaved
from benchmarks.training_steps import (
    compare_training,
    hugging_face_steps,
    import_transformers,
    start_runtime,
    zoo_steps,
)


class Size(NamedTuple):
    """Model and batch sizes of both sides of a comparison."""

    vocabulary: int
    context: int
    width: int
    depth: int
    heads: int


GPT_SIZE = Size(vocabulary=4096, context=256, width=384, depth=6, heads=6)
GPT_BATCH = 16
PROMPT, NEW = 32, 128  # tokens
BERT_SIZE = Size(vocabulary=8192, context=128, width=256, depth=6, heads=4)
BERT_BATCH = 8


def gpt_pair() -> tuple[Any, Any]:
    """Hugging Face's GPT-2 and Zoo's, with the same weights, in eval mode."""
    import torch

    from zoo.models.gpt import GPT
    from zoo.weights.gpt2 import GPT2
    from zoo.weights.load import load_weights

    transformers = import_transformers()
    config = transformers.GPT2Config(
        vocab_size=GPT_SIZE.vocabulary,
        n_positions=GPT_SIZE.context,
        n_embd=GPT_SIZE.width,
        n_layer=GPT_SIZE.depth,
        n_head=GPT_SIZE.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=None,
    )
    torch.manual_seed(0)
    published = transformers.GPT2LMHeadModel(config).eval()
    model = GPT(*GPT_SIZE).eval()
    weights = GPT2.from_published(published.state_dict(), {"depth": GPT_SIZE.depth})
    load_weights(model, weights, "Hugging Face", [], [])
    return published, model


def llama_pair() -> tuple[Any, Any]:
    """Hugging Face's Llama and Zoo's, with the same weights, in eval mode."""
    import torch

    from zoo.models.llama import Llama
    from zoo.weights.llama import LLAMA
    from zoo.weights.load import load_weights

    transformers = import_transformers()
    config = transformers.LlamaConfig(
        vocab_size=GPT_SIZE.vocabulary,
        max_position_embeddings=GPT_SIZE.context,
        hidden_size=GPT_SIZE.width,
        intermediate_size=1024,
        num_hidden_layers=GPT_SIZE.depth,
        num_attention_heads=GPT_SIZE.heads,
        num_key_value_heads=GPT_SIZE.heads // 3,
        bos_token_id=0,
        eos_token_id=None,
    )
    torch.manual_seed(0)
    published = transformers.LlamaForCausalLM(config).eval()
    options = LLAMA.settings(published.state_dict(), config.to_dict())
    model = Llama(vocab_size=GPT_SIZE.vocabulary, **options).eval()
    weights = LLAMA.from_published(published.state_dict(), options)
    load_weights(model, weights, "Hugging Face", [], [])
    return published, model


def generation(rounds: int, threads: int) -> None:
    """Greedy text of GPT-2 and of Llama, batch 1, fp32: tokens per second."""
    for pair, names in (
        (gpt_pair, ("Hugging Face GPT2LMHeadModel", "zoo gpt")),
        (llama_pair, ("Hugging Face LlamaForCausalLM", "zoo llama")),
    ):
        compare_generation(pair(), names, rounds, threads)


def compare_generation(
    pair: tuple[Any, Any], names: tuple[str, str], rounds: int, threads: int
) -> None:
    """Greedy text of Hugging Face's model and of Zoo's, from the same weights."""
    import torch

    from zoo.inference.generation import Sampling, generate

    torch.set_num_threads(threads)
    published, model = pair
    prompt = torch.randint(GPT_SIZE.vocabulary, (1, PROMPT))

    def hugging_face_generate() -> list[int]:
        tokens = published.generate(
            prompt, max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False, pad_token_id=0
        )
        return tokens[0, PROMPT:].tolist()

    def zoo_generate() -> list[int]:
        steps = generate(model, prompt.tolist(), NEW, Sampling(temperature=0))
        return [token for (token,) in steps if token is not None]

    same = "yes" if hugging_face_generate() == zoo_generate() else "NO"
    print(f"{NEW} tokens after {PROMPT}, {threads} threads; same tokens: {same}")
    functions = (hugging_face_generate, zoo_generate)
    cases = dict(zip(names, map(tokens_per_second, functions), strict=True))
    run_interleaved(cases, rounds, "tokens/s")


def tokens_per_second(generate_text: Callable[[], list[int]]) -> Case:
    """The case of a function that generates NEW tokens."""

    def case() -> float:
        start = time.perf_counter()
        generate_text()
        return NEW / (time.perf_counter() - start)

    return case


def gpt(rounds: int, threads: int) -> None:
    """Training steps of GPT-2's architecture, fused AdamW on both sides: tokens per second."""
    makers = {"Hugging Face GPT2LMHeadModel": hugging_face_gpt, "zoo gpt": zoo_gpt}
    compare_training(makers, (GPT_BATCH, GPT_SIZE.context), rounds, threads)


def hugging_face_gpt(precision: str) -> Case:
    """Hugging Face's GPT-2, which shifts the labels itself."""
    model, _ = gpt_pair()
    inputs = [
        {"input_ids": batch[:, :-1], "labels": batch[:, :-1]} for batch in random_gpt_tokens()
    ]
    return hugging_face_steps(model, inputs, precision)


def zoo_gpt(precision: str) -> Case:
    """Zoo's, from the same weights."""
    from zoo.tasks.causal_lm import CausalLM

    start_runtime()
    _, model = gpt_pair()
    task = CausalLM([1] * GPT_SIZE.vocabulary, None)
    return zoo_steps(model, task, random_gpt_tokens(), precision)


def random_gpt_tokens() -> Any:
    """Random tokens, int64 (64, B, T + 1)."""
    import torch

    return torch.randint(GPT_SIZE.vocabulary, (64, GPT_BATCH, GPT_SIZE.context + 1))


def bert(rounds: int, threads: int) -> None:
    """Training steps of BERT's architecture; Hugging Face's batches come masked, Zoo masks them."""
    makers = {"Hugging Face BertForMaskedLM": hugging_face_bert, "zoo bert": zoo_bert}
    compare_training(makers, (BERT_BATCH, BERT_SIZE.context), rounds, threads)


def hugging_face_bert(precision: str) -> Case:
    """Hugging Face's BERT, whose sequences are masked beforehand."""
    import torch

    task, batches = bert_task()
    transformers = import_transformers()
    config = transformers.BertConfig(
        vocab_size=BERT_SIZE.vocabulary,
        hidden_size=BERT_SIZE.width,
        num_hidden_layers=BERT_SIZE.depth,
        num_attention_heads=BERT_SIZE.heads,
        intermediate_size=4 * BERT_SIZE.width,
        max_position_embeddings=BERT_SIZE.context,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )

    def mask(tokens: Any) -> dict[str, Any]:
        masked = task.mask({"input": tokens}, training=True)
        labels = torch.full((BERT_BATCH * BERT_SIZE.context,), -100)
        labels[masked.positions] = masked.labels
        return {"input_ids": masked.input_ids, "labels": labels.view(BERT_BATCH, BERT_SIZE.context)}

    model = transformers.BertForMaskedLM(config)
    return hugging_face_steps(model, [mask(batch) for batch in batches], precision)


def zoo_bert(precision: str) -> Case:
    """Zoo's, of the same size; masking is part of a step."""
    from zoo.models.bert import BERT

    start_runtime()
    task, batches = bert_task()
    return zoo_steps(BERT(*BERT_SIZE, dropout=0.0), task, batches, precision)


def bert_task() -> tuple[Any, Any]:
    """The task, and random tokens, int64 (16, B, T + 1)."""
    import torch

    from zoo.data.tokenizers.registry import ByteTokenizer
    from zoo.tasks.masked_lm import MaskedLM

    task = MaskedLM(BERT_SIZE.vocabulary, ByteTokenizer(["[MASK]"]), 0)
    shape = (16, BERT_BATCH, BERT_SIZE.context + 1)
    return task, torch.randint(1, BERT_SIZE.vocabulary, shape)
