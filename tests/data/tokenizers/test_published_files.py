"""Published tokenizers: the ids of Hugging Face's own, and one line for damaged files."""

import json

import pytest
from sample_chats import FORMATS, messages, tokenizer_json

from zoo.data.chat.format import ChatFormat
from zoo.data.tokenizers.base import EOT, MASK, PAD
from zoo.data.tokenizers.published_files import read_published
from zoo.data.tokenizers.registry import load_tokenizer
from zoo.errors import UserError

transformers = pytest.importorskip("transformers")


def words():
    texts = ["Hello world, HELLO again!", "naïve café 你好", "an unbelievable tokenization"]
    return texts + ["<|endoftext|> [MASK] [SEP]", "", "  two  spaces\nand a line"]


def test_gpt2s_tokenizer_equals_the_reference(tmp_path):
    from tokenizers import ByteLevelBPETokenizer

    made = ByteLevelBPETokenizer()
    made.train_from_iterator(words() * 3, vocab_size=400, special_tokens=["<|endoftext|>"])
    made.save_model(str(tmp_path))
    tokenizer = read_published(tmp_path)
    reference = transformers.GPT2TokenizerFast.from_pretrained(tmp_path)
    for text in words():
        encoded = reference(text, split_special_tokens=True)["input_ids"]
        assert tokenizer.encode(text).tolist() == encoded
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert (
        tokenizer.vocab_size == len(reference)
        and tokenizer.pad_id == tokenizer.specials["<|endoftext|>"]
    )
    assert len(tokenizer.token_bytes()) == tokenizer.vocab_size == len(tokenizer.word_starts())


@pytest.mark.parametrize("lower", [True, False])
def test_berts_tokenizer_equals_the_reference(tmp_path, lower):
    vocabulary = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = "hello world Hello , ! un ##believ ##able token ##ization an again cafe naive 你 好"
    (tmp_path / "vocab.txt").write_text("\n".join([*vocabulary, *pieces.split()]) + "\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
    tokenizer = read_published(tmp_path)
    reference = transformers.BertTokenizerFast.from_pretrained(tmp_path, do_lower_case=lower)
    for text in words():
        if "[" in text:
            continue
        encoded = reference(text, add_special_tokens=True)["input_ids"]
        assert tokenizer.wrap(tokenizer.encode(text), 50).tolist() == encoded
    assert tokenizer.specials["[MASK]"] == 5 and tokenizer.pad_id == 0 and tokenizer.first_id == 6
    assert 5 not in tokenizer.encode("a [MASK] here")
    assert len(tokenizer.wrap(tokenizer.encode("hello world again"), 4)) == 4


def test_a_damaged_tokenizer_is_named(tmp_path):
    assert read_published(tmp_path) is None
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="its tokenizer cannot be read"):
        read_published(tmp_path)


VOCABULARY = (
    "[PAD] [unused0] [UNK] [CLS] [SEP] [MASK] hello world Hello cafe café 你 好 你好 he ##llo"
)
BERT = {"tokenizer_class": "BertTokenizer"}
NEW = {"content": "<new>", "special": False, "lstrip": False, "rstrip": False,
       "single_word": False, "normalized": True}  # fmt: skip
SAMPLE = "Hello café 你好 <new> x"


def write_words(folder, **settings):
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY.split()) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(BERT | settings))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_lower_case": False},
        {"strip_accents": False},
        {"do_lower_case": False, "strip_accents": True},
        {"tokenize_chinese_chars": False},
        {"unk_token": "hello"},
        {"unk_token": {"__type": "AddedToken", "content": "hello", "special": True}},
        {"added_tokens_decoder": {"16": NEW}},
        {"model_max_length": 7, "padding_side": "left"},
    ],
)
@pytest.mark.parametrize("whole", [False, True], ids=["vocab.txt", "tokenizer.json"])
def test_settings_of_berts_tokenizer(settings, whole, tmp_path):
    """As `transformers` understands them; they win over a tokenizer.json."""
    write_words(tmp_path, **(settings if not whole else {}))
    if whole:
        if "unk_token" in settings or "added_tokens_decoder" in settings:
            return  # a part of tokenizer.json itself
        transformers.AutoTokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path)
        write_words(tmp_path, **settings)
        assert (tmp_path / "tokenizer.json").is_file()
    reference = transformers.AutoTokenizer.from_pretrained(tmp_path)
    expected = reference(SAMPLE, add_special_tokens=False)["input_ids"]
    assert read_published(tmp_path).encode(SAMPLE).tolist() == expected


def test_added_tokens(tmp_path):
    write_words(tmp_path)
    (tmp_path / "added_tokens.json").write_text('{"<new>": 16}')
    tokenizer = read_published(tmp_path)
    assert tokenizer.vocab_size == 17 and 16 in tokenizer.encode(SAMPLE)
    (tmp_path / "added_tokens.json").write_text('{"<new>": 20}')
    with pytest.raises(UserError, match="token '<new>' has the id 20, and follows as 16"):
        read_published(tmp_path)


@pytest.mark.parametrize("space", [False, True])
def test_a_space_before_a_text(space, tmp_path):
    from tokenizers import ByteLevelBPETokenizer

    made = ByteLevelBPETokenizer()
    made.train_from_iterator(words() * 3, vocab_size=300, special_tokens=["<|endoftext|>"])
    made.save_model(str(tmp_path))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"add_prefix_space": space}))
    found = read_published(tmp_path).encode("hello")
    assert read_published(tmp_path).decode(found) == ("" if not space else " ") + "hello"
    for name, other in (("vocab.json", "encoder.json"), ("merges.txt", "vocab.bpe")):
        (tmp_path / name).rename(tmp_path / other)  # OpenAI's own names
    assert read_published(tmp_path).encode("hello").tolist() == found.tolist()
    (tmp_path / "encoder.json").unlink()
    with pytest.raises(UserError, match="vocab.bpe without encoder.json"):
        read_published(tmp_path)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tokenizer_class": "BertJapaneseTokenizer"}, "BertJapaneseTokenizer, which reads"),
        ({"do_basic_tokenize": False}, "do_basic_tokenize=false"),
        ({"unk_token": "<unk>"}, "vocab.txt has no <unk>"),
    ],
)
def test_other_readers_of_a_vocabulary_are_refused(settings, said, tmp_path):
    write_words(tmp_path, **settings)
    with pytest.raises(UserError, match=said):
        read_published(tmp_path)


def test_sentencepiece_alone(tmp_path):
    (tmp_path / "spiece.model").write_bytes(b"\n\x0e")
    with pytest.raises(UserError, match="SentencePiece's spiece.model; write a tokenizer.json"):
        read_published(tmp_path)


@pytest.mark.parametrize("file", ["tokenizer_config.json", "special_tokens_map.json"])
def test_special_tokens_that_the_settings_state(file, tmp_path):
    """They win over the usual names, and stay in a run's record."""
    write_words(tmp_path)
    stated = {"eos_token": "world", "mask_token": {"content": "hello"}, "pad_token": "world"}
    (tmp_path / file).write_text(json.dumps(BERT | stated))
    tokenizer = read_published(tmp_path)
    assert tokenizer.specials[EOT] == 7 and tokenizer.specials[MASK] == 6
    assert tokenizer.specials[PAD] == 0  # no padding of its own is stated
    again = load_tokenizer(json.loads(json.dumps(tokenizer.to_json())))
    assert again.specials == tokenizer.specials
    (tmp_path / file).write_text(json.dumps(BERT | {"mask_token": "[MASK]", "pad_token": "[PAD]"}))
    assert "stated" not in read_published(tmp_path).to_json()


@pytest.mark.parametrize("form", ["text", "list", "file"])
def test_a_chat_template_is_read_as_transformers_does(tmp_path, form):
    """From the settings, alone or one of several, or from its own file, which wins."""
    template, specials = FORMATS["llama2"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer_json(specials)))
    end = {"__type": "AddedToken", "content": "</s>", "special": True}
    settings = {"bos_token": "<s>", "eos_token": end, "unk_token": None}
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    tools = {"name": "tool_use", "template": "no"}
    settings["chat_template"] = {
        "text": template,
        "list": [tools, {"name": "default", "template": template}],
        "file": "no",
    }[form]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    if form == "file":
        (tmp_path / "chat_template.jinja").write_text(template)
    tokenizer = read_published(tmp_path)
    reference = transformers.AutoTokenizer.from_pretrained(tmp_path)
    chat = messages("a", "b", "c", system="s")
    expected = reference.apply_chat_template(chat, return_dict=True)["input_ids"]
    assert ChatFormat(tokenizer).prompt(chat).tolist() == expected
    assert ChatFormat(load_tokenizer(tokenizer.to_json())).prompt(chat).tolist() == expected


def test_a_chat_template_that_is_no_text_is_named(tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer_json(["<s>"])))
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": 3}')
    with pytest.raises(UserError, match="its chat template is a int, expected a text"):
        read_published(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    assert read_published(tmp_path).chat is None


def test_the_ends_of_a_generated_text_are_those_of_the_settings(tmp_path):
    """As of a Llama 3 that answers: three, one of which is the end of a text."""
    content = tokenizer_json(["<s>", "</s>", "<|eot_id|>", "<|eom_id|>"])
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>"}))
    ids = read_published(tmp_path).controls()
    stated = [ids[name] for name in ("</s>", "<|eot_id|>", "<|eom_id|>")]
    cases = ((stated, stated[1:]), (stated[1], stated[1:2]), (stated[0], []), (None, []))
    for eos, others in cases:
        (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": eos}))
        tokenizer = read_published(tmp_path)
        assert tokenizer.ends == load_tokenizer(tokenizer.to_json()).ends == others
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": ["</s>"]}')
    with pytest.raises(UserError, match=r"eos_token_id=\['</s>'\], expected ids of tokens"):
        read_published(tmp_path)


def test_of_two_usual_names_the_stated_token_ends_a_text(tmp_path):
    """As of a Llama to whose vocabulary `<|endoftext|>` was added."""
    content = tokenizer_json(["<s>", "</s>", "<|endoftext|>"])
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>"}))
    tokenizer = read_published(tmp_path)
    assert tokenizer.specials[EOT] == tokenizer.controls()["</s>"]
    again = load_tokenizer(tokenizer.to_json())
    assert again.specials == tokenizer.specials


@pytest.mark.parametrize("space", [True, False])
def test_a_space_before_texts_is_put_where_the_settings_say_so(tmp_path, space):
    content = tokenizer_json(["<|endoftext|>"])
    content["pre_tokenizer"]["add_prefix_space"] = not space
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    stated = {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": space}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(stated))
    reference = transformers.AutoTokenizer.from_pretrained(tmp_path)
    tokenizer = read_published(tmp_path)
    for text in ("Is that all?", " a space", ""):
        assert tokenizer.encode(text).tolist() == reference(text)["input_ids"]
