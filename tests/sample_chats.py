"""Conversations, and chat templates of our own writing with the markers of published formats."""

import functools
import json

from zoo.data.chat.format import ChatFormat, with_chat
from zoo.data.tokenizers.published import PublishedTokenizer

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA2 = """\
{% set ns = namespace(system='') %}
{% for message in messages %}
{% if message.role == 'system' %}
{% set ns.system = '<<SYS>>\\n' ~ message.content ~ '\\n<</SYS>>\\n\\n' %}
{% elif message.role == 'user' %}
{{- bos_token ~ '[INST] ' ~ ns.system ~ message.content.strip() ~ ' [/INST]' }}
{%- set ns.system = '' %}
{% elif message.role == 'assistant' %}
{{- ' ' ~ message.content.strip() ~ ' ' ~ eos_token }}
{%- else %}{{ raise_exception('no role ' ~ message.role) }}{% endif %}
{% endfor %}
"""
LLAMA3 = """\
{{- bos_token }}
{%- for message in messages %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
{{- message['content'] | trim }}{{ '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
MISTRAL = """\
{%- if messages[0].role == 'system' %}
{%- set system, rest = messages[0].content ~ '\\n\\n', messages[1:] %}
{%- else %}{% set system, rest = '', messages %}{% endif %}
{{- bos_token }}
{%- for message in rest %}
{%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}
{{- raise_exception('roles must alternate user/assistant') }}
{%- elif message.role == 'user' %}
{{- '[INST]' ~ (system if loop.index0 >= rest | length - 2 and loop.last or \
loop.index == rest | length - 1 else '') ~ message.content ~ '[/INST]' }}
{%- else %}{{ ' ' ~ message.content | trim ~ eos_token }}{% endif %}
{%- endfor %}
"""
GEMMA = """\
{{ bos_token }}
{%- if messages[0]['role'] == 'system' %}
{{ raise_exception('System role not supported') }}{% endif %}
{% for message in messages %}
{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}
{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}
{%- endfor %}
{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}
"""
THINKING = """\
{%- if messages[0].role != 'system' %}
{{- '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}
{%- for message in messages %}
{%- set content = message.content %}
{%- if message.role == 'assistant' and not loop.last %}
{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}
{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""  # adds a system prompt, and forgets what was thought in earlier turns
FORMATS = {  # template, control tokens, the first and the last named by bos_token and eos_token
    "chatml": (CHATML, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
    "llama2": (LLAMA2, ["<s>", "</s>"]),
    "llama3": (
        LLAMA3,
        ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    ),
    "mistral": (MISTRAL, ["<s>", "[INST]", "[/INST]", "</s>"]),
    "gemma": (GEMMA, ["<bos>", "<start_of_turn>", "<end_of_turn>", "<eos>"]),
    "thinking": (THINKING, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
}
TEXT = (
    "What does this function do? It reads a file and returns its lines. Is that all? Yes: nothing "
    "else.\n\n\n\u4f60\u597d, \u4e16\u754c! Be short. \U0001f600 "
) * 4


def messages(*contents, system=None):
    """A user's and an assistant's in turns, after a system message if one is given."""
    roles = [("user", "assistant")[k % 2] for k in range(len(contents))]
    turns = [{"role": role, "content": text} for role, text in zip(roles, contents)]
    return turns if system is None else [{"role": "system", "content": system}, *turns]


@functools.cache
def trained(kind):
    """The JSON of a tokenizer learnt from TEXT: byte pairs, or pieces with a space before each word
    as SentencePiece's (`first`: before the text, `legacy`: after each special token too)."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    model = Tokenizer(models.BPE())
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if kind == "bytes":
        model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        model.decoder = decoders.ByteLevel()
    else:
        alphabet = sorted({*"\u2581\n", *TEXT, *map(chr, range(33, 127))})
        if kind == "first":
            model.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        else:
            prepend = [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
            model.normalizer = normalizers.Sequence(prepend)
        model.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.Fuse()])
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=list(alphabet), show_progress=False
    )
    words = TEXT.replace(" ", "\u2581") if kind == "legacy" else TEXT
    model.train_from_iterator([words], trainer)
    return model.to_str()


def tokenizer_json(specials, kind="bytes"):
    """A `tokenizer.json` with these special tokens."""
    from tokenizers import AddedToken, Tokenizer

    model = Tokenizer.from_str(trained(kind))
    model.add_tokens(["<think>", "</think>"])
    strips = "<|end_header_id|>" if kind == "first" else None  # as Phi-3's do, what follows it
    tokens = (AddedToken(n, special=True, normalized=False, rstrip=n == strips) for n in specials)
    model.add_special_tokens(list(tokens))
    return json.loads(model.to_str())


def chat(name, kind="bytes", source=None):
    """A published tokenizer with one of the templates, and `transformers`' of the same files."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    template, specials = FORMATS[name]
    content = tokenizer_json(specials, kind)
    ours = PublishedTokenizer(content, {"<|endoftext|>": specials[-1]})
    variables = {"bos_token": specials[0], "eos_token": specials[-1]}
    ours.chat = {"source": source or template, "variables": variables}
    theirs = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)),
        chat_template=source or template,
        **variables,
    )
    return ChatFormat(with_chat(ours, None)), theirs
