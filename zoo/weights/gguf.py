"""A language model as one file of the format GGUF, which llama.cpp and its kin run.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The tensors have the names of the `gguf`
package for those of `transformers`. Rotary positions turn neighbouring elements of a head in the
architecture `llama`, and its halves in the others, as here: rows of queries and keys are reordered.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from zoo.data.text.chat_encoding import ChatEncoding
from zoo.data.text.encoding import TextEncoding
from zoo.data.text.prompt_encoding import PromptEncoding
from zoo.errors import UserError
from zoo.weights.family import Misfit, Settings, Tensors, misfits
from zoo.weights.gguf_tokenizer import Vocabulary, vocabulary
from zoo.weights.hf_folder import Trained, chat_template, files_of, find_family
from zoo.weights.hf_tokenizer import TokenizerFiles
from zoo.weights.rope import BASE

if TYPE_CHECKING:
    from gguf import GGUFWriter

ARCHITECTURES = {  # by the model_type of config.json
    "gpt2": "gpt2",
    "llama": "llama",
    "mistral": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
}
OWN = {torch.bfloat16: "bf16", torch.float16: "f16"}  # others are written in 32 bits
BLOCK = 32  # numbers of q8_0 that share a scale
EXAMPLE = """\
from llama_cpp import Llama

model = Llama("model.gguf", n_ctx=0, verbose=False)  # 0: all that the model reads


def predict(text, max_tokens=20):
"""
CONTINUES = """\
    said = model(text, max_tokens=max_tokens, temperature=0)
    return said["choices"][0]["text"]
"""
ANSWERS = """\
    messages = [{"role": "user", "content": text}]
    said = model.create_chat_completion(messages, max_tokens=max_tokens, temperature=0)
    return said["choices"][0]["message"]["content"]
"""


class Written(NamedTuple):
    """What a reader should know of a file.

    Attributes:
        notes: Where llama.cpp differs.
        example: Python code that uses it.
    """

    notes: list[str]
    example: str


def write_gguf(trained: Trained, path: Path, name: str, dtype: str = "") -> Written:
    """Write a model with its tokenizer.

    Args:
        trained: A causal language model.
        path: The file.
        name: Of the model, in the file.
        dtype: Of matrices, `f32`, `f16`, `bf16` or `q8_0`; vectors are in 32 bits. "" for that of
            the weights.

    Raises:
        UserError: A package is missing; llama.cpp has no such model or tokenizer.
    """
    try:
        import gguf
    except ImportError as error:
        raise UserError(
            f"format=gguf needs a package ({error}): pip install --editable '.[gguf]'"
        ) from None
    config, published = _published(trained)
    architecture = ARCHITECTURES[config["model_type"]]
    words = _vocabulary(trained)
    notes = list(words.notes)
    first = next(iter(published.values()))
    dtype = dtype or OWN.get(first.dtype, "f32")
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("model")
    writer.add_name(name)
    most = "ALL" if dtype == "f32" else "MOSTLY"
    writer.add_file_type(gguf.LlamaFileType[f"{most}_{dtype.upper()}"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    notes += _add_sizes(writer, config)
    _add_vocabulary(writer, words, trained)
    for tensor_name, tensor in _named(published, config).items():
        data, kind = _stored(tensor, dtype, tensor_name)
        writer.add_tensor(tensor_name, data, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    has_template = isinstance(trained.encoding, ChatEncoding | PromptEncoding)
    return Written(notes, EXAMPLE + (ANSWERS if has_template else CONTINUES))


def _published(trained: Trained) -> tuple[dict[str, Any], Tensors]:
    """config.json and tensors as of `transformers`.

    Raises:
        UserError: llama.cpp has no such model.
    """
    if trained.task not in ("causal_lm", "reinforce") or trained.settings.get("num_outputs"):
        raise UserError(
            f"format=gguf: llama.cpp continues texts, and this run's model is trained for "
            f"task={trained.task}; take format=hf or onnx"
        )
    has_experts = trained.settings.get("mixture") is not None
    if trained.model not in ("llama", "gpt") or has_experts:
        raise UserError(
            f"format=gguf is written for model=llama and gpt, not for model={trained.model}"
            f"{' with experts (model.mixture)' if has_experts else ''}; take format=hf"
        )
    family = find_family(trained, "gguf")
    assert family.config is not None
    config = family.config(trained.settings)
    if strange := _strange(trained.settings, config):
        has, needs = (list(column) for column in zip(*strange, strict=True))
        raise UserError(
            f"format=gguf: llama.cpp's {config['model_type']} cannot express {', '.join(has)}; a "
            f"run with {' '.join(needs)} fits; or take format=hf"
        )
    return config, family.to_published(trained.tensors, trained.settings)


def _strange(settings: Settings, config: dict[str, Any]) -> list[Misfit]:
    """Options that `transformers` has and llama.cpp has not."""
    kind, width = config["model_type"], settings["width"] // settings["heads"]
    if kind == "gpt2":
        return misfits(settings, activation="gelu_tanh")
    own: dict[str, Any] = {"qwen2": {"head_width": [None, width]}, "qwen3": {"bias": "none"}}
    found = misfits(settings, **own.get(kind, {}))
    if kind in own and rope_factors(config) is not None:  # its file has no place for the factors
        found.append(("model.rope_scaling of type llama3", "model.rope_scaling=null"))
    return found


def _vocabulary(trained: Trained) -> Vocabulary:
    files, tokenizer = files_of(trained), trained.encoding.tokenizer
    assert files is not None and tokenizer is not None  # a causal language model has them
    try:
        words = vocabulary(tokenizer, files, trained.settings["vocab_size"])
    except ValueError as error:
        raise UserError(
            f"format=gguf: llama.cpp has no tokenizer like this run's: {error}; take format=hf"
        ) from None
    if _end(files) is None:
        raise UserError(
            f"format=gguf: data.tokenizer={tokenizer.kind} has no token here that ends a text, "
            f"which llama.cpp cannot be without; take format=hf, or data of several texts"
        )
    return words


def _end(files: TokenizerFiles) -> int | None:
    """The token that ends a text, or else one that occurs in none: without any, llama.cpp would
    take another for it."""
    return files.ids.get("eos_token", files.ids.get("pad_token"))


def _add_sizes(writer: "GGUFWriter", config: dict[str, Any]) -> list[str]:
    """Sizes of the model; what a reader should know of them."""
    from gguf import RopeScalingType

    if config["model_type"] == "gpt2":
        writer.add_context_length(config["n_positions"])
        writer.add_embedding_length(config["n_embd"])
        writer.add_block_count(config["n_layer"])
        writer.add_feed_forward_length(4 * config["n_embd"])
        writer.add_head_count(config["n_head"])
        writer.add_layer_norm_eps(config["layer_norm_epsilon"])
        return []
    context, notes = config["max_position_embeddings"], []
    window = config.get("sliding_window")
    if window is not None and window < context:
        notes.append(f"llama.cpp has no sliding window here: it reads {window} tokens at most")
        context = window
    writer.add_context_length(context)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    if (scaling := config.get("rope_scaling")) and scaling["rope_type"] == "linear":
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(scaling["factor"])
    return notes


def _add_vocabulary(writer: "GGUFWriter", words: Vocabulary, trained: Trained) -> None:
    encoding, files = trained.encoding, files_of(trained)
    assert files is not None and encoding.tokenizer is not None
    writer.add_tokenizer_model(words.model)
    writer.add_tokenizer_pre(words.pattern)
    writer.add_token_list(words.tokens)
    writer.add_token_types(words.kinds)
    writer.add_token_merges(words.merges)  # none where there are none
    writer.add_token_scores(words.scores)
    if words.model == "llama":
        writer.add_add_space_prefix(words.space)
    begin = encoding.tokenizer.begin_id if isinstance(encoding, TextEncoding) else None
    ids = files.ids | ({} if begin is None else {"bos_token": begin})
    for role, add in (
        ("bos_token", writer.add_bos_token_id),
        ("unk_token", writer.add_unk_token_id),
        ("pad_token", writer.add_pad_token_id),
    ):
        if role in ids:
            add(ids[role])
    end = _end(files)
    assert end is not None
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(begin is not None)
    writer.add_add_eos_token(False)
    if isinstance(encoding, PromptEncoding):
        writer.add_chat_template(chat_template(encoding.template))
    if isinstance(encoding, ChatEncoding):
        form = encoding.tokenizer.chat
        assert form is not None
        writer.add_chat_template(form["source"])
        writer.add_eot_token_id(encoding.chat.end_id)  # of an answer


def _named(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    """The tensors under their names in the file, in the order in which it holds them."""
    from gguf import MODEL_ARCH, get_tensor_name_map

    kind = config["model_type"]
    depth = config["n_layer" if kind == "gpt2" else "num_hidden_layers"]
    names = get_tensor_name_map(MODEL_ARCH[ARCHITECTURES[kind].upper()], depth)
    found: Tensors = {}
    for name, tensor in tensors.items():
        if kind == "gpt2" and name.split(".")[-2].startswith("c_") and tensor.ndim > 1:
            tensor = tensor.T
        if ARCHITECTURES[kind] == "llama" and ".self_attn." in name:
            counts = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
            if (count := counts.get(name.split(".")[-2])) is not None:
                tensor = neighbours(tensor, config[count])
        found_name = names.get_name(name, (".weight", ".bias"))
        assert found_name is not None, name
        found[found_name] = tensor
    if (factors := rope_factors(config)) is not None:
        found["rope_freqs.weight"] = factors
    return found


def neighbours(tensor: Tensor, heads: int) -> Tensor:
    """Rows of queries or keys, E of each head, so that those which are rotated against each other,
    k and k + E / 2, come to lie side by side."""
    halves = tensor.view(heads, 2, -1, *tensor.shape[1:])
    return halves.transpose(1, 2).reshape(tensor.shape)


def rope_factors(config: dict[str, Any]) -> Tensor | None:
    """By how much Llama 3.1's scaling slows each pair of a head down, float32 (E / 2,); None
    without it."""
    scaling = config.get("rope_scaling")
    if not scaling or scaling["rope_type"] != "llama3":
        return None
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    exponents = torch.arange(0, config["head_dim"], 2, dtype=torch.float64) / config["head_dim"]
    rates = config.get("rope_theta", BASE) ** -exponents
    turns = scaling["original_max_position_embeddings"] * rates / (2 * math.pi)
    share = ((turns - low) / (high - low)).clamp(0, 1)  # of the rates as they were
    return (1 / (share + (1 - share) / scaling["factor"])).float()


def _stored(tensor: Tensor, dtype: str, name: str) -> tuple[Any, str]:
    """A tensor as the file holds it, and the name of its type there."""
    from gguf import GGMLQuantizationType, quants

    values = tensor.float().contiguous().numpy()
    if tensor.ndim < 2 or dtype == "f32" or name.startswith("position_embd"):
        return values, "F32"
    kind = dtype.upper() if dtype != "q8_0" or tensor.shape[-1] % BLOCK == 0 else "F16"
    return quants.quantize(values, GGMLQuantizationType[kind]), kind
