"""GGUF files: what a reader of the format computes from them; llama.cpp too, if it is there."""

import functools
import unicodedata

import pytest
import torch
from published_tokenizers import strings, write
from sample_chats import CHATML, FORMATS, tokenizer_json

from zoo.data.text.chat_encoding import ChatEncoding
from zoo.data.text.encoding import TextEncoding
from zoo.data.text.prompt_encoding import PromptEncoding
from zoo.data.tokenizers.bpe import BpeTokenizer
from zoo.data.tokenizers.published import PublishedTokenizer
from zoo.data.tokenizers.published_files import read_published
from zoo.data.tokenizers.registry import ByteTokenizer, CharTokenizer
from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.models.llama import Llama
from zoo.schema import parameters
from zoo.training.checkpoint import model_tensors
from zoo.weights.gguf import write_gguf
from zoo.weights.hf_folder import Trained

gguf = pytest.importorskip("gguf")
gguf_reader = pytest.importorskip("gguf_reader")

EOT = "<|endoftext|>"
BYTES = ByteTokenizer([EOT])
V, T = BYTES.vocab_size, 24
SIZES = dict(vocab_size=V, block_size=T, width=48, depth=2, heads=4)
LLAMA3 = dict(
    type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=16,
)  # fmt: skip
AS_LLAMA = dict(positions="rotary", norm="rms", activation="swiglu", init="zero", tie=False)
MODELS = {
    "gpt": (GPT, dict(tie=False)),
    "gpt as llama": (GPT, dict(**AS_LLAMA, kv_heads=2)),
    "llama": (Llama, dict(kv_heads=2, inner=70)),
    "llama 3": (Llama, dict(kv_heads=2, tie=True, rope_base=500.0, rope_scaling=LLAMA3)),
    "llama, biases": (
        Llama,
        dict(bias="all", head_width=16, rope_scaling=dict(type="linear", factor=4.0)),
    ),
    "mistral": (Llama, dict(window=7, head_width=8)),
    "qwen2": (Llama, dict(bias="qkv", kv_heads=2, rope_base=1e6)),
    "qwen3": (Llama, dict(qk_norm=True, head_width=20, kv_heads=1)),
}


def made(kind, **options):
    """A model with all weights random."""
    build, settings = MODELS[kind]
    defaults = {name: p.default for name, p in parameters(build).items()}
    settings = defaults | SIZES | settings | options
    torch.manual_seed(0)
    model = build(**settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.15 * torch.randn_like(parameter)
    return model, settings


def trained(model, settings, encoding=None, task="causal_lm"):
    name = "gpt" if isinstance(model, GPT) else "llama"
    encoding = encoding or TextEncoding(BYTES, settings["block_size"])
    tensors = model_tensors(model.state_dict())
    return Trained(name, settings, tensors, encoding, task)


def logits(model, tokens):
    with torch.no_grad():
        return model(tokens)


def longest(settings):
    return min(T, settings.get("window") or T)


@pytest.mark.parametrize("kind", MODELS)
def test_a_reader_computes_what_the_model_does(kind, tmp_path):
    model, settings = made(kind)
    notes, _ = write_gguf(trained(model, settings), tmp_path / "x.gguf", "a name")
    file = gguf_reader.File(tmp_path / "x.gguf")
    context = longest(settings)
    tokens = torch.randint(V, (2, context))
    expected = logits(model, tokens)
    torch.testing.assert_close(file.logits(tokens), expected, rtol=1e-4, atol=1e-4)
    assert file.get("context_length") == context and file.fields["general.name"] == "a name"
    assert len(notes) == (context < T) and set(file.types.values()) == {"F32"}
    assert ("output.weight" in file.tensors) == (not settings["tie"])
    assert file.fields["tokenizer.ggml.eos_token_id"] == 0
    assert file.fields["tokenizer.ggml.add_bos_token"] is False


@pytest.mark.parametrize(("dtype", "near"), [("f16", 2e-3), ("bf16", 2e-2), ("q8_0", 2e-2)])
def test_smaller_numbers(dtype, near, tmp_path):
    """Vectors stay in 32 bits; rows that are no multiple of 32 are not cut into blocks."""
    model, settings = made("llama", width=64)
    write_gguf(trained(model, settings), tmp_path / "x.gguf", "x", dtype)
    file = gguf_reader.File(tmp_path / "x.gguf")
    other = "F16" if dtype == "q8_0" else dtype.upper()
    assert file.types["blk.0.ffn_down.weight"] == other  # rows of 70
    assert file.types["blk.0.attn_q.weight"] == dtype.upper()
    assert file.types["blk.0.attn_norm.weight"] == "F32"
    own = model.blocks[0].attention.out.weight.detach()
    there = file.tensors["blk.0.attn_output.weight"]
    assert 0 < (there - own).abs().max() < near * own.abs().max()


def test_weights_in_16_bits_stay_so(tmp_path):
    model, settings = made("llama")
    write_gguf(trained(model.bfloat16(), settings), tmp_path / "x.gguf", "x")
    file = gguf_reader.File(tmp_path / "x.gguf")
    assert file.types["token_embd.weight"] == "BF16"
    expected = model.embedding.weight.detach().float()
    assert torch.equal(file.tensors["token_embd.weight"], expected)


# ------------------------------------------------------------------------------- tokenizers

TEXT = "Größe of a naïve fox <|endoftext|>[MASK]</s>\n 你好 🙂 don't"
OURS = {
    "byte": BYTES,
    "char": CharTokenizer.train(strings(), [EOT]),
    "ascii": CharTokenizer.train(["abc "], [EOT]),
    "bpe": BpeTokenizer.train([TEXT] * 9, 290, [EOT]),
}


@functools.cache
def tokenizer_of(kind, folder=None):
    if kind in OURS:
        return OURS[kind]
    folder.mkdir(exist_ok=True)
    write(kind, folder)
    return read_published(folder)


def exported(tokenizer, path, encoding=None):
    model, settings = made("llama", vocab_size=tokenizer.vocab_size + 3)
    encoding = encoding or TextEncoding(tokenizer, T)
    return write_gguf(trained(model, settings, encoding), path, "x")


def texts_of(kind):
    texts = ["", "a", "cab  abc"] if kind == "ascii" else [*strings(300), TEXT]
    if kind == "qwen2":  # its tokenizer composes letters, llama.cpp does not
        texts = [text for text in texts if unicodedata.is_normalized("NFC", text)]
    return texts


@pytest.mark.parametrize("kind", [*OURS, "llama2"])
def test_texts_are_cut_as_here(kind, tmp_path):
    own = tokenizer_of(kind, tmp_path / kind)
    exported(own, tmp_path / "x.gguf")
    file = gguf_reader.File(tmp_path / "x.gguf")
    for text in texts_of(kind):
        if kind != "char" or set(text) <= set(own.characters):
            assert file.encode(text) == own.encode(text).tolist(), repr(text)
    tokens = file.fields["tokenizer.ggml.tokens"]
    assert len(set(tokens)) == len(tokens) == own.vocab_size + 3
    assert file.fields["tokenizer.ggml.token_type"][-3:] == [5, 5, 5]  # unused


@pytest.mark.parametrize(
    ("kind", "pattern", "begin", "end"),
    [
        ("llama2", "default", "<s>", "</s>"),
        ("llama3", "llama-bpe", "<|begin_of_text|>", "<|end_of_text|>"),
        ("qwen2", "qwen2", None, "<|im_end|>"),
    ],
)
def test_published_tokenizers_have_their_names(kind, pattern, begin, end, tmp_path):
    own = tokenizer_of(kind, tmp_path / kind)
    notes, _ = exported(own, tmp_path / "x.gguf")
    fields = gguf_reader.File(tmp_path / "x.gguf").fields
    tokens = fields["tokenizer.ggml.tokens"]
    assert fields["tokenizer.ggml.pre"] == pattern
    assert tokens[fields["tokenizer.ggml.eos_token_id"]] == end
    assert fields["tokenizer.ggml.add_bos_token"] == (begin is not None)
    assert begin is None or tokens[fields["tokenizer.ggml.bos_token_id"]] == begin
    kinds = dict(zip(tokens, fields["tokenizer.ggml.token_type"]))
    assert kinds[end] == 3 and kinds.get("<think>", 4) == 4 and kinds.get("<0x0A>", 6) == 6
    assert len(notes) == (kind == "qwen2")  # it composes letters


def test_where_no_text_ends_a_token_that_is_in_none_ends_it(tmp_path):
    exported(ByteTokenizer(), tmp_path / "x.gguf")
    fields = gguf_reader.File(tmp_path / "x.gguf").fields
    assert fields["tokenizer.ggml.eos_token_id"] == 255  # begins no letter in UTF-8


def test_templates_are_carried_along(tmp_path):
    own = PublishedTokenizer(tokenizer_json(FORMATS["chatml"][1]))
    own.chat = {"source": CHATML, "variables": {"eos_token": EOT}}
    _, example = exported(own, tmp_path / "x.gguf", ChatEncoding(own, T))
    fields = gguf_reader.File(tmp_path / "x.gguf").fields
    assert fields["tokenizer.chat_template"] == CHATML and "create_chat_completion" in example
    tokens = fields["tokenizer.ggml.tokens"]
    assert tokens[fields["tokenizer.ggml.eot_token_id"]] == "<|im_end|>"
    assert tokens[fields["tokenizer.ggml.eos_token_id"]] == EOT
    exported(BYTES, tmp_path / "y.gguf", PromptEncoding(BYTES, T, "Q: {prompt}\n"))
    template = gguf_reader.File(tmp_path / "y.gguf").fields["tokenizer.chat_template"]
    assert "Q: " in template and "messages[0]" in template


# ---------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("kind", "options", "task", "said"),
    [
        ("gpt", dict(activation="relu"), "causal_lm", "gpt2 cannot express model.activation=relu"),
        ("qwen2", dict(head_width=20), "causal_lm", "qwen2 cannot express model.head_width=20"),
        ("qwen3", dict(bias="attention"), "causal_lm", "qwen3 cannot express model.bias=attention"),
        (
            "qwen2",
            dict(rope_scaling=LLAMA3),
            "causal_lm",
            "qwen2 cannot express model.rope_scaling",
        ),
        (
            "qwen3",
            dict(rope_scaling=LLAMA3),
            "causal_lm",
            "qwen3 cannot express model.rope_scaling",
        ),
        ("gpt", dict(qk_norm=True), "causal_lm", "cannot express model.qk_norm=true"),
        (
            "llama",
            dict(mixture=dict(experts=4)),
            "causal_lm",
            "not for model=llama with experts (model.mixture)",
        ),
        (
            "llama",
            dict(model="rnn"),
            "causal_lm",
            "llama and gpt, not for model=rnn; take format=hf",
        ),
        ("llama", {}, "classification", "llama.cpp continues texts, and this run's model is"),
    ],
)
def test_what_llama_cpp_has_not_is_refused(kind, options, task, said, tmp_path):
    build, settings = MODELS[kind]
    defaults = {name: p.default for name, p in parameters(build).items()}
    settings = defaults | SIZES | settings | options
    name = options.get("model") or ("gpt" if build is GPT else "llama")
    given = Trained(name, settings, {}, TextEncoding(BYTES, T), task)
    with pytest.raises(UserError) as caught:
        write_gguf(given, tmp_path / "x.gguf", "x")
    assert str(caught.value).startswith("format=gguf") and "\n" not in str(caught.value)
    assert said in str(caught.value)


def broken(**changes):
    content = tokenizer_json([EOT])
    for name, change in changes.items():
        content[name] = content[name] | change if isinstance(content[name], dict) else change
    return PublishedTokenizer(content)


@pytest.mark.parametrize(
    ("tokenizer", "said"),
    [
        (broken(pre_tokenizer={"add_prefix_space": True}), "does not read bytes as GPT-2's"),
        (broken(normalizer={"type": "Lowercase"}), "it changes texts before it cuts them"),
        (broken(model={"ignore_merges": True}), "llama.cpp sets ignore_merges otherwise"),
        (PublishedTokenizer(tokenizer_json([EOT], "first")), "no tokens for the bytes of letters"),
        (CharTokenizer("abc"), "data.tokenizer=char has no token here that ends a text"),
        (BpeTokenizer.train(["a b"], 270, [EOT], leading_space=True), "begin with a space"),
    ],
)
def test_a_tokenizer_unlike_any_of_llama_cpps_is_refused(tokenizer, said, tmp_path):
    with pytest.raises(UserError, match=said):
        exported(tokenizer, tmp_path / "x.gguf")


def test_pieces_that_scores_would_make_otherwise_are_refused(tmp_path):
    """By its list of merges, "▁the" is only made of "▁t" and "he"."""
    own = tokenizer_of("llama2", tmp_path / "llama2")
    content = own.to_json()["model"]
    content["model"]["vocab"]["the"] = len(content["model"]["vocab"])
    content["model"]["merges"].append(["t", "he"])
    with pytest.raises(UserError, match="it makes no '▁the' of '▁' and 'the'"):
        exported(PublishedTokenizer(content), tmp_path / "x.gguf")


# --------------------------------------------------------------------------------- llama.cpp


@pytest.fixture(scope="module")
def llama_cpp():
    """Its Python binding (`pip install llama-cpp-python`)."""
    return pytest.importorskip("llama_cpp")


def opened(llama_cpp, path, **options):
    f32 = llama_cpp.GGML_TYPE_F32  # keys and values in the cache
    return llama_cpp.Llama(
        str(path), n_ctx=0, n_threads=1, verbose=False, type_k=f32, type_v=f32, **options
    )


@pytest.mark.parametrize("kind", MODELS)
def test_llama_cpp_writes_the_same_greedy_tokens(kind, tmp_path, llama_cpp):
    model, settings = made(kind)
    write_gguf(trained(model, settings), tmp_path / "x.gguf", "x")
    theirs = opened(llama_cpp, tmp_path / "x.gguf", logits_all=True)
    context = longest(settings)
    start = [1 + k for k in BYTES.encode("Hi,")]
    theirs.eval(start)
    ids = list(start)
    while len(ids) < context:
        expected = logits(model, torch.tensor([ids]))[0, -1]
        given = torch.from_numpy(theirs.scores[len(ids) - 1].copy())
        torch.testing.assert_close(given, expected, rtol=5e-3, atol=5e-3)
        ids.append(int(expected.argmax()))
        assert int(given.argmax()) == ids[-1]
        theirs.eval(ids[-1:])


@pytest.mark.parametrize("kind", [*OURS, "llama2", "llama3", "qwen2"])
def test_llama_cpp_cuts_texts_as_here(kind, tmp_path, llama_cpp):
    own = tokenizer_of(kind, tmp_path / kind)
    exported(own, tmp_path / "x.gguf")
    theirs = opened(llama_cpp, tmp_path / "x.gguf")
    for text in texts_of(kind):
        if kind != "char" or set(text) <= set(own.characters):
            given = theirs.tokenize(text.encode(), add_bos=False, special=False)
            assert given == own.encode(text).tolist(), repr(text)
