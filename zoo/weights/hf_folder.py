"""A folder as on the Hugging Face Hub, which `transformers` opens: weights, tokenizer, processor.

`config.json`, `generation_config.json` and `tokenizer_config.json` name the special tokens, so that
generation ends, batches are padded and blanks are filled; `preprocessor_config.json` states how an
image becomes numbers.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.data.encoding import Encoding
from zoo.data.images.encoding import ImageEncoding
from zoo.data.text.chat_encoding import ChatEncoding
from zoo.data.text.encoding import TextEncoding
from zoo.data.text.labelled_encoding import LabelledTextEncoding
from zoo.data.text.prompt_encoding import PLACEHOLDER, PromptEncoding
from zoo.data.text.tagged_encoding import TaggedEncoding
from zoo.errors import UserError
from zoo.weights.family import Family, Misfit, Settings, Tensors
from zoo.weights.hf_tokenizer import TokenizerFiles, tokenizer_files
from zoo.weights.source import WRITTEN

BILINEAR = 2  # Pillow's number
ONE_PROMPT = "This model was trained on one prompt and its answer: give it one user message."
ROLES = ("bos_token", "eos_token", "pad_token")  # those that config.json names


@dataclass(frozen=True)
class Trained:
    """What a folder is made of.

    Attributes:
        model: The model's name.
        settings: Its options and the facts that it was built with.
        tensors: Its weights, by our names.
        encoding: How its input is made.
        task: The name of its task.
    """

    model: str
    settings: Settings
    tensors: Tensors
    encoding: Encoding
    task: str


def write_folder(trained: Trained, folder: Path) -> str:
    """Write all files; the name of the class that reads them.

    Raises:
        UserError: `transformers` has no model of this kind, or not with these options (all of which
            are named).
    """
    from safetensors.torch import save_file

    family = find_family(trained)
    assert family.config is not None
    try:
        tensors = family.to_published(trained.tensors, trained.settings)
    except ValueError as error:
        raise UserError(f"format=hf: {error}; take format=safetensors or onnx") from None
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    dtype = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    config = family.config(trained.settings) | {"dtype": dtype}
    files = files_of(trained)
    if files is not None:
        special = {f"{role}_id": files.ids.get(role) for role in ROLES}
        config |= special
        if trained.task in ("causal_lm", "reinforce"):
            context = trained.settings.get("block_size")  # None of a model of any length
            longest = {"max_length": context} if context else {}
            ends = {"eos_token_id": _ends(trained.encoding, special["eos_token_id"])}
            write_json(folder / "generation_config.json", special | longest | ends)
    write_json(folder / "config.json", config)
    write_processors(trained, folder)
    return config["architectures"][0]


def _ends(encoding: Encoding, eos: int | None) -> int | list[int] | None:
    """Ids by which a generated text ends; of conversations, first that which ends an answer."""
    assert encoding.tokenizer is not None
    first = encoding.chat.end_id if isinstance(encoding, ChatEncoding) else eos
    others = [number for number in encoding.tokenizer.ends if number != first]
    if first is None or not others:
        return first
    return [first, *others]


def find_family(trained: Trained, form: str = "hf") -> Family:
    """The published family that a model belongs to.

    Args:
        trained: The model.
        form: The format that is asked for.

    Raises:
        UserError: There is none, or it cannot express some options.
    """
    families = [f for f in WRITTEN if f.model == trained.model and f.config]
    if not families:
        raise UserError(
            f"format={form}: there is no published family of model={trained.model}; take "
            f"format=safetensors or onnx"
        )
    family = min(families, key=lambda one: len(one.misfits(trained.settings)))
    misfits = family.misfits(trained.settings) + _misfits(trained.encoding)
    if misfits:
        has, needs = (list(column) for column in zip(*misfits, strict=True))
        raise UserError(
            f"format={form}: {family.name} cannot express {', '.join(has)}; a run with "
            f"{' '.join(needs)} fits; or take format=safetensors or onnx"
        )
    return family


def _misfits(encoding: Encoding) -> list[Misfit]:
    """Options of the data that no processor there can express."""
    tokenizer = encoding.tokenizer
    if tokenizer is not None and tokenizer_files(tokenizer) is None:
        return [(f"data.tokenizer={tokenizer.kind}", "data.tokenizer=bpe")]
    if isinstance(encoding, ImageEncoding):
        height, width = encoding.size
        if encoding.resize == "crop" and height != width:
            return [("data.resize=crop to a rectangle", "data.resize=squash")]
    return []


def files_of(trained: Trained) -> TokenizerFiles | None:
    """The tokenizer's files, None for a model of other data."""
    if trained.encoding.tokenizer is None:
        return None
    return tokenizer_files(
        trained.encoding.tokenizer,
        fills_blanks=trained.task in ("masked_lm", "infilling"),
        wraps=isinstance(trained.encoding, LabelledTextEncoding | TaggedEncoding)
        or bool(trained.settings.get("next_sentence")),
        begins=isinstance(trained.encoding, TextEncoding),
    )


def write_processors(trained: Trained, folder: Path) -> None:
    """The files by which `AutoTokenizer` or `AutoImageProcessor` make the model's input."""
    if isinstance(trained.encoding, ImageEncoding):
        write_json(folder / "preprocessor_config.json", image_processor(trained.encoding))
    files = files_of(trained)
    if files is None:
        return
    length = trained.settings.get("block_size")
    pairs = bool(trained.settings.get("next_sentence"))
    if isinstance(trained.encoding, LabelledTextEncoding | TaggedEncoding):
        length = trained.encoding.length  # what is beyond it is cut off, as in training
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": length,
        "model_input_names": ["input_ids", "attention_mask", *["token_type_ids"] * pairs],
        "padding_side": "left" if trained.task in ("causal_lm", "reinforce") else "right",
        "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": trained.task != "masked_lm",  # no text is a special token
    }
    if isinstance(trained.encoding, PromptEncoding):
        config["chat_template"] = chat_template(trained.encoding.template)
    names = files.names
    if isinstance(trained.encoding, ChatEncoding):
        form = trained.encoding.tokenizer.chat
        assert form is not None
        config |= {"chat_template": form["source"], "split_special_tokens": False}
        names = names | form["variables"]
    write_json(folder / "tokenizer.json", files.content)
    write_json(folder / "tokenizer_config.json", config | names)
    write_json(folder / "special_tokens_map.json", names)


def chat_template(template: str) -> str:
    """The text around a prompt as a Jinja template of one user message."""
    pieces = [json.dumps(piece, ensure_ascii=False) for piece in template.split(PLACEHOLDER)]
    text = " ~ messages[0]['content'] ~ ".join(pieces)
    refusal = f"{{{{ raise_exception({json.dumps(ONE_PROMPT)}) }}}}"
    return (
        "{% if messages | length != 1 or messages[0]['role'] != 'user' %}"
        f"{refusal}{{% endif %}}{{{{ {text} }}}}"
    )


def image_processor(encoding: ImageEncoding) -> dict[str, Any]:
    """preprocessor_config.json: pixels are cropped to a square or not, resized, standardised."""
    height, width = encoding.size
    size = {"height": height, "width": width}
    crops = encoding.resize == "crop"  # Perceiver's crops before it resizes, as ours does
    return {
        "image_processor_type": "PerceiverImageProcessor" if crops else "ViTImageProcessor",
        "do_convert_rgb": encoding.channels == 3,
        **({"do_center_crop": True, "crop_size": size} if crops else {}),
        "do_resize": True,
        "size": size,
        "resample": BILINEAR,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(encoding.mean),
        "image_std": list(encoding.std),
    }


def write_json(path: Path, content: Any) -> None:
    """Indented, as others write them."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
