"""Sentences of the user's own, in each form, and what is said of files that are not understood."""

import json

import pytest
import torch
from contexts import build_dataset

from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

WORDS = TokenizerConfig(tokenizer="word", vocab_size=None)


@pytest.fixture
def build(tmp_path):
    def run(content, **options):
        path = tmp_path / "data.txt"
        path.write_text(content)
        options = {"name": "tagged", "path": str(path), "block_size": 8} | options
        return build_dataset(options, tokenizer=WORDS)

    return run


def sentences(data):
    """All of them, as `word/tag`; in no order."""
    names, shown = data.facts["tag_names"], set()
    for split in ("train", "val", "test"):
        source = data.splits[split]
        for k in range(len(source)):
            ids, tags = (x.rows(torch.tensor([k]))[0] for x in (source.tokens, source.tags))
            words = [data.encoding.tokenizer.token(i) for i in ids.tolist()]
            marks = [names[tag] if tag >= 0 else "-" for tag in tags.tolist()]
            shown.add(" ".join(f"{word}/{mark}" for word, mark in zip(words, marks, strict=True)))
    return shown


def test_json_lines(build):
    lines = '{"tokens": ["a", "b"], "ner": [0, null]}\n\n{"tokens": ["c"], "ner": [1]}\n'
    data = build(lines * 4, words="tokens", tags="ner")
    assert sentences(data) == {"a/0 b/-", "c/1"} and data.facts["tag_names"] == ["0", "1"]
    rows = [{"id": k, "words": ["a", "b"], "tags": ["A", "B"]} for k in range(9)]
    listed = build(json.dumps(rows, indent=1))
    assert sentences(listed) == {"a/A b/B"} and listed.notes[-1] == "of each row, not read: id"


def test_a_text_is_cut_into_characters_where_the_file_is(build):
    data = build("张 B\n三 I\n在 O\n京 B\n\n" * 12)
    assert data.encoding.words("三张 在京") == list("三张在京")
    assert "each character is a word, in texts to predict too" in data.notes
    spaced = build("张三 B\n在 O\n\n" * 12)
    assert spaced.encoding.words("张三 在京") == ["张三", "在京"]
    assert not any("each character" in note for note in spaced.notes)


CONLL = """-DOCSTART- -X- O O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

# NN B-NP O
calls NNS I-NP O
"""
CONLL_U = """# sent_id = 1
# text = vámonos al
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\t_\t_\t_\t_\t_\t_
2\tnos\tnosotros\tPRON\t_\t_\t_\t_\t_\t_
2.1\tx\tx\tX\t_\t_\t_\t_\t_\t_

# sent_id = 2
1\tal\ta\tADP\t_\t_\t_\t_\t_\t_
"""


def test_columns(build):
    first = sentences(build("word TAG\nother X\n\nword TAG\n\n" * 3))
    assert first == {"word/TAG other/X", "word/TAG"}
    shared = sentences(build((CONLL + "\n") * 4))
    assert shared == {"EU/B-ORG rejects/O", "#/O calls/O"}
    parts = sentences(build((CONLL + "\n") * 4, tags=2))
    assert parts == {"EU/NNP rejects/VBZ", "#/NN calls/NNS"}
    universal = sentences(build((CONLL_U + "\n") * 4))
    assert universal == {"vamos/VERB nos/PRON", "al/ADP"}
    lemmas = sentences(build((CONLL_U + "\n") * 4, words=3))
    assert lemmas == {"ir/VERB nosotros/PRON", "a/ADP"}


def test_lines_that_part_documents_are_no_words(build):
    """With an empty line after them or not, with all columns or one."""
    text = "-DOCSTART-\na A\nb B\n-DOCSTART- -X-\n\n[ A\n"
    assert sentences(build((text + "\n") * 4)) == {"a/A b/B", "[/A"}
    assert sentences(build("[ A\nb B\r\n\r\n" * 4)) == {"[/A b/B"}
    with pytest.raises(UserError, match="txt:2: one column"):
        build("a\u2028b A\nc\n")


@pytest.mark.parametrize(
    "content, options, said",
    [
        ("", {}, "no sentence; expected words and their tags"),
        ("word\n", {}, "txt:1: one column, 'word'; expected a word and its tag"),
        ("a A\n\nb B C\n", {}, "txt:3: 3 columns, but the first word has 2"),
        ("a A\n", {"tags": 3}, "data.tags=3: .*txt:1 has 2 columns"),
        ("a A\n", {"words": "token"}, "data.words=token: the file has columns; expected a number"),
        ("a\t\n", {}, "txt:1: the word 'a' with the tag ''; expected one of each"),
        ('{"words": ["a"], "tags": ["x"]}\n{"words"\n', {}, "txt:2: not JSON: "),
        ('[["a", "x"]]', {}, "txt, entry 1: a list; expected "),
        ('{"word": [], "tags": []}', {}, "data.words: .*txt:1: .*did you mean 'word'?"),
        ('{"words": "a", "tags": ["x"]}', {}, "txt:1: 'words' is a str, expected a list"),
        ('{"words": ["a"], "tags": ["x", "y"]}', {}, "txt:1: 1 word and 2 tags; expected one for"),
        (
            '{"words": ["New York"], "tags": ["x"]}',
            {},
            "the word 'New York'; expected a text with",
        ),
        ('{"words": ["a"], "tags": [1.5]}', {}, "the tag 1.5; expected a text, a whole number or"),
        ("a A\n\nb A\n\nc A\n", {}, "only the tag 'A'; expected two or more"),
        ("a A\n", {}, "the .* split is empty"),
    ],
)
def test_a_file_that_is_not_understood_is_refused_in_a_line(build, content, options, said):
    with pytest.raises(UserError, match=said) as error:
        build(content, **options)
    assert "\n" not in str(error.value)


def test_a_missing_path_is_named():
    with pytest.raises(UserError, match="data.path is missing: JSON Lines with words and tags"):
        build_dataset({"name": "tagged", "block_size": 8}, tokenizer=WORDS)
    with pytest.raises(UserError, match="no such file"):
        build_dataset({"name": "tagged", "path": "nowhere", "block_size": 8}, tokenizer=WORDS)
