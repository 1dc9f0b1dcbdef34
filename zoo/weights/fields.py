"""The fields of a published config.json: used, without effect on a loaded model, or refused.

Every field that is known is of one of these kinds. A field that is not known and is set is a note:
the classes of `transformers` ignore what they do not know, and write new fields of no effect with
each version, so that a refusal would break most files of tomorrow.
"""

import math
from dataclasses import dataclass, field
from typing import Any

Config = dict[str, Any]


def words(text: str) -> tuple[str, ...]:
    """The words of a text: a table of names in few lines."""
    return tuple(text.split())


# Of every architecture: where it comes from, how to train it and to generate with it.
WITHOUT_EFFECT = words(
    """
    _attn_implementation _attn_implementation_autoset _commit_hash _name_or_path _num_labels
    architectures attn_implementation bad_words_ids begin_suppress_tokens bos_token_id
    chunk_size_feed_forward classifier_dropout decoder_start_token_id diversity_penalty do_sample
    dtype early_stopping encoder_no_repeat_ngram_size eos_token_id
    exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id
    gradient_checkpointing id2label initializer_range label2id length_penalty max_length min_length
    model_type no_repeat_ngram_size num_beam_groups num_beams num_labels num_return_sequences
    output_attentions output_hidden_states output_past output_scores pad_token_id prefix
    problem_type remove_invalid_values repetition_penalty return_dict return_dict_in_generate
    sep_token_id suppress_tokens task_specific_params temperature tf_legacy_loss tokenizer_class
    top_k top_p torch_dtype torchscript transformers_version typical_p use_bfloat16 use_cache
    xla_device
    """
)
WITHOUT_VALUE: dict[str, tuple[Any, ...]] = dict.fromkeys(  # refused in any architecture where set
    (
        "auto_map",  # code of its own
        "cross_attention_hidden_size",
        "is_encoder_decoder",
        "per_layer_config",
        "pruned_heads",
        "quantization_config",
        "tie_encoder_decoder",
        "tie_last_hidden_states",
    ),
    (False,),
)


@dataclass(frozen=True)
class Fields:
    """The table of one family.

    Attributes:
        family: Its name.
        types: Values of `model_type`: other architectures share names of parameters.
        used: Fields that the family's `settings` reads.
        fixed: Fields of which our model knows only these values, the default first.
        without_effect: Further fields that change no output of a loaded model.
        aliases: Other names of fields.
        file: Its name.
    """

    family: str
    types: tuple[str, ...]
    used: tuple[str, ...]
    fixed: dict[str, tuple[Any, ...]]
    without_effect: tuple[str, ...] = ()
    aliases: dict[str, str] = field(default_factory=dict)
    file: str = "config.json"

    def check(self, config: Config) -> tuple[Config, list[str]]:
        """The config under the usual names of its fields, and notes on fields that are not known.

        Raises:
            ValueError: Fields with a value that our model does not have, all of them.
        """
        config = {self.aliases.get(name, name): value for name, value in config.items()}
        wrong = []
        if (kind := config.get("model_type")) not in (None, *self.types):
            wrong.append(f"model_type={kind} (expected {' or '.join(self.types)})")
        for name, allowed in (WITHOUT_VALUE | self.fixed).items():
            value = config.get(name)
            if not (_is_empty(value) or any(_same(value, one) for one in allowed)):
                expected = " or ".join(map(_shown, allowed)) or "none"
                wrong.append(f"{name}={_shown(value)} (expected {expected})")
        if wrong:
            raise ValueError(f"{self.family}: {self.file} has {'; '.join(wrong)}")
        known = {*self.used, *self.fixed, *self.without_effect, *WITHOUT_EFFECT, *WITHOUT_VALUE}
        unknown = [k for k, v in config.items() if k not in known and not _is_empty(v)]
        unknown = [name for name in unknown if config[name] is not False]
        note = f"{self.file} of the weights: not known, and not used: {', '.join(unknown)}"
        return config, [note] if unknown else []


def check_sizes(family: str, config: Config, sizes: dict[str, Any]) -> None:
    """Check that a config agrees with the tensors.

    Args:
        family: Its name.
        config: Of the weights.
        sizes: By the tensors, under the config's names.

    Raises:
        ValueError: It does not.
    """
    wrong = [
        f"{name}={_shown(config[name])}, and the tensors have {_shown(size)}"
        for name, size in sizes.items()
        if config.get(name) is not None and not _same(config[name], size)
    ]
    if wrong:
        raise ValueError(f"{family}: config.json has {'; '.join(wrong)}")


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {}, ())


def _same(value: Any, other: Any) -> bool:
    if isinstance(value, float) and isinstance(other, int | float):
        return math.isclose(value, other, rel_tol=1e-6)
    if isinstance(other, list | tuple) and isinstance(value, list | tuple):
        return list(value) == list(other)
    return bool(value == other)


def _shown(value: Any) -> str:
    """As JSON writes it, cut."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 40 else f"{text[:37]}..."
