"""LoRA on GPT-2 (124M parameters) compared with PEFT's: tokens per second and peak memory."""

from typing import Any

from benchmarks.interleave import Case, run_interleaved
from benchmarks.isolated import IsolatedCase
from benchmarks.training_steps import (
    hugging_face_steps,
    import_transformers,
    start_runtime,
    zoo_steps,
)

VOCABULARY, CONTEXT, BATCH_SIZE = 50_257, 256, 4


def lora(rounds: int, threads: int) -> None:
    """Rank 8 on the attention's projections, fp32; and Zoo with all parameters trained."""
    import_transformers()
    makers = {"PEFT on Hugging Face": peft_lora, "zoo lora": zoo_lora, "zoo, all": zoo_full}
    processes = {name: IsolatedCase(make, "fp32", threads) for name, make in makers.items()}
    print(f"fp32: {BATCH_SIZE} x {CONTEXT} tokens a step, {threads} threads")
    run_interleaved(processes, rounds, "tokens/s")
    for name, process in processes.items():
        print(f"{name:36s} {process.peak_memory():10,.0f} MB at most")


def random_tokens() -> Any:
    """Random tokens, int64 (8, B, T + 1)."""
    import torch

    return torch.randint(VOCABULARY, (8, BATCH_SIZE, CONTEXT + 1))


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
