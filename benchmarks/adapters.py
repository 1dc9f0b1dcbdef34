"""LoRA on GPT-2 (124M parameters) and on a Llama of SmolLM2's size (135M) compared with PEFT's:
tokens per second and peak memory, in fp32 and in bf16."""

from collections.abc import Mapping
from typing import Any

from benchmarks.interleave import Case, run_interleaved
from benchmarks.isolated import IsolatedCase, MakeCase
from benchmarks.training_steps import (
    hugging_face_steps,
    import_transformers,
    start_runtime,
    zoo_steps,
)

VOCABULARY, CONTEXT, BATCH_SIZE = 50_257, 256, 4
LLAMA_VOCABULARY, LLAMA_BATCH_SIZE = 49_152, 2


def lora(rounds: int, threads: int) -> None:
    """Rank 8 on the attention's projections; and Zoo with all parameters trained."""
    makers = {"PEFT on Hugging Face": peft_lora, "zoo lora": zoo_lora, "zoo, all": zoo_full}
    compare(makers, BATCH_SIZE, rounds, threads)


def lora_llama(rounds: int, threads: int) -> None:
    """Rank 8 on queries, keys, values and the attention's output."""
    makers = {"PEFT on Hugging Face": peft_llama, "zoo lora": zoo_llama}
    compare(makers, LLAMA_BATCH_SIZE, rounds, threads)


def compare(makers: Mapping[str, MakeCase], batch_size: int, rounds: int, threads: int) -> None:
    """Run the cases in turn, and print their speed and the memory that each needed."""
    import_transformers()
    for precision in ("fp32", "bf16"):
        processes = {name: IsolatedCase(make, precision, threads) for name, make in makers.items()}
        print(f"{precision}: {batch_size} x {CONTEXT} tokens a step, {threads} threads")
        run_interleaved(processes, rounds, "tokens/s")
        for name, process in processes.items():
            print(f"{name:36s} {process.peak_memory():10,.0f} MB at most")


def random_tokens(vocabulary: int = VOCABULARY, batch_size: int = BATCH_SIZE) -> Any:
    """Random tokens, int64 (8, B, T + 1)."""
    import torch

    return torch.randint(vocabulary, (8, batch_size, CONTEXT + 1))


def peft_llama(precision: str) -> Case:
    """PEFT's LoRA on Hugging Face's Llama."""
    import peft

    transformers = import_transformers()
    config = transformers.LlamaConfig(
        vocab_size=LLAMA_VOCABULARY, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=CONTEXT,
        tie_word_embeddings=True, use_cache=False,
    )  # fmt: skip
    modules = ["q_proj", "k_proj", "v_proj", "o_proj"]
    adapter = peft.LoraConfig(r=8, lora_alpha=16, target_modules=modules)
    model = peft.get_peft_model(transformers.LlamaForCausalLM(config), adapter)
    batches = random_tokens(LLAMA_VOCABULARY, LLAMA_BATCH_SIZE)
    inputs = [{"input_ids": batch[:, :-1], "labels": batch[:, :-1]} for batch in batches]
    return hugging_face_steps(model, inputs, precision)


def zoo_llama(precision: str) -> Case:
    """Zoo's, with the same matrices: a pair for each of queries, keys and values."""
    from zoo.adapters.lora import lora as add_lora
    from zoo.models.llama import Llama
    from zoo.tasks.causal_lm import CausalLM

    start_runtime()
    model = Llama(
        LLAMA_VOCABULARY, CONTEXT, width=576, depth=30, heads=9, kv_heads=3, inner=1536, tie=True
    )
    add_lora(model, targets=["qkv:qkv", "attention.out"])
    tokens = random_tokens(LLAMA_VOCABULARY, LLAMA_BATCH_SIZE)
    return zoo_steps(model, CausalLM([1] * LLAMA_VOCABULARY, None), tokens, precision)


def peft_lora(precision: str) -> Case:
    """PEFT's LoRA on Hugging Face's GPT-2."""
    import peft

    transformers = import_transformers()
    config = transformers.GPT2Config(
        n_positions=CONTEXT, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0
    )
    adapter = peft.LoraConfig(
        r=8, lora_alpha=16, target_modules=["c_attn", "attn.c_proj"], fan_in_fan_out=True
    )
    model = peft.get_peft_model(transformers.GPT2LMHeadModel(config), adapter)
    inputs = [{"input_ids": batch[:, :-1], "labels": batch[:, :-1]} for batch in random_tokens()]
    return hugging_face_steps(model, inputs, precision)


def zoo_lora(precision: str) -> Case:
    """Zoo's LoRA."""
    return zoo_gpt2(precision, adapted=True)


def zoo_full(precision: str) -> Case:
    """Zoo with all parameters trained."""
    return zoo_gpt2(precision, adapted=False)


def zoo_gpt2(precision: str, adapted: bool) -> Case:
    """Training steps of a model of GPT-2's size."""
    from zoo.adapters.lora import lora as add_lora
    from zoo.models.gpt import GPT
    from zoo.tasks.causal_lm import CausalLM

    start_runtime()
    model = GPT(VOCABULARY, CONTEXT, 768, 12, 12)
    if adapted:
        add_lora(model, targets=["qkv", "attention.out"])
    return zoo_steps(model, CausalLM([1] * VOCABULARY, None), random_tokens(), precision)
