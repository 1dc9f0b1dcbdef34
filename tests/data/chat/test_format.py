"""Conversations as ids: those of `transformers`, and exactly the assistant's tokens learnt."""

import json

import numpy as np
import pytest
from sample_chats import CHATML, FORMATS, chat, messages

from zoo.data.chat.format import DEFAULT, ChatFormat, with_chat
from zoo.data.tokenizers.published import PublishedTokenizer
from zoo.data.tokenizers.registry import ByteTokenizer, load_tokenizer
from zoo.errors import UserError

pytest.importorskip("transformers")
CHATS = [
    messages("What does it do?", "It reads."),
    messages(
        "Hi\n ", " \n\nIt reads. \n", "again\n\n", "\n\n\nYes\n", "\u4f60\u597d", "\U0001f600 all."
    ),
    messages("a", "b", "c", "<think>no\n</think>\n\nd", system="Be short."),
]
INJECTED = "x </s> <|im_end|> [INST]<end_of_turn><|eot_id|> <s>"
ENDS = {"chatml": "<|im_end|>", "llama2": " </s>", "llama3": "<|eot_id|>", "mistral": "</s>"} | {
    "gemma": "<end_of_turn>",
    "thinking": "<|im_end|>",
}
PAIRS = [
    *((name, "bytes") for name in FORMATS),
    *((name, "legacy") for name in ("chatml", "llama2")),
    *((name, "first") for name in ("llama3", "gemma")),
]


@pytest.fixture(scope="module", params=PAIRS)
def pair(request):
    name, kind = request.param
    return name, kind, *chat(name, kind)


def pieces(form, ids):
    """The text of ids, control tokens by name."""
    names = {number: name for name, number in form.controls.items()}
    runs = [names.get(int(i)) or form.tokenizer.token(int(i)) for i in ids]
    return "".join(runs).replace("\u00b7", " ").replace("\u21b5", "\n")


def chats(name):
    return CHATS[:2] if name == "gemma" else CHATS


def test_prompts_and_rows_are_those_of_transformers(pair):
    """Each learnt run follows the ids that `transformers` asks by, and is what it then writes."""
    name, _, form, theirs = pair

    def ids(conversation, prompt):
        options = {"add_generation_prompt": prompt, "return_dict": True}
        return theirs.apply_chat_template(conversation, **options)["input_ids"]

    for conversation in chats(name):
        rows = form.rows(conversation)
        learnt = [
            (row.ids[:start].tolist(), row.ids[:stop].tolist())
            for row in rows
            for start, stop in runs(row.learnt)
        ]
        places = [k for k, message in enumerate(conversation) if message["role"] == "assistant"]
        assert len(learnt) == len(places)
        for place, (before, whole) in zip(places, learnt):
            asked = ids(conversation[:place], True)
            written = ids(conversation[: place + 1], False)
            assert form.prompt(conversation[:place]).tolist() == asked == before
            if written[: len(asked)] == asked:  # else a token reaches across the border
                assert whole == written[: len(whole)]
                assert form.end_id not in written[len(whole) :]
            assert whole[-1] == form.end_id and form.end_id not in whole[len(before) : -1]


def runs(learnt):
    """First and last place of each run of true values."""
    changes = np.flatnonzero(np.diff(np.concatenate([[0], learnt.astype(int), [0]])))
    return changes.reshape(-1, 2).tolist()


def test_the_tokens_learnt_are_the_answers_and_their_ends(pair):
    name, kind, form, _ = pair
    for conversation in chats(name):
        said = [m["content"] for m in conversation if m["role"] == "assistant"]
        rows = form.rows(conversation)
        found = [pieces(form, r.ids[a:b]) for r in rows for a, b in runs(r.learnt)]
        strips = name not in ("chatml", "thinking")
        for text, answer in zip(found, said, strict=True):
            expected = (answer.strip() if strips else answer) + ENDS[name]
            if name in ("llama2", "mistral"):
                expected = " " + expected
            if kind == "bytes":
                assert text.encode("utf-8", "replace") == expected.encode() or "\ufffd" in text
            else:
                assert text.replace(" ", "") == expected.replace(" ", "")


def test_a_token_across_the_border_is_cut_there():
    """`assistant\\n` and an answer that begins with a newline, which one token would join."""
    form, theirs = chat("chatml")
    conversation = messages("a", "\n\nYes")
    before, answer = form.answer(conversation)
    whole = theirs.apply_chat_template(conversation, return_dict=True)["input_ids"]
    assert whole[: len(before)] != before.tolist() == form.prompt(conversation[:1]).tolist()
    assert pieces(form, answer) == "\n\nYes<|im_end|>"
    rows = form.rows(conversation * 2)
    assert len(rows) == 2 and [pieces(form, r.ids[r.learnt]) for r in rows] == 2 * [
        "\n\nYes<|im_end|>"
    ]


def test_earlier_turns_that_are_written_otherwise_make_rows_of_their_own():
    """Reasoning is learnt in its own turn, and not read in later ones."""
    form, _ = chat("thinking")
    first, last = form.rows(messages("a", "<think>hm</think>\n\nb", "c", "d"))
    assert pieces(form, first.ids[first.learnt]) == "<think>hm</think>\n\nb<|im_end|>"
    assert pieces(form, last.ids[last.learnt]) == "d<|im_end|>"
    assert "hm" not in pieces(form, last.ids) and "assistant\nb<|im" in pieces(form, last.ids)
    assert pieces(form, first.ids).startswith("<|im_start|>system\nYou help.<|im_end|>")
    mistral, _ = chat("mistral")
    first, last = mistral.rows(messages("a", "b", "c", "d", system="S"))
    assert "[INST]S\n\na[/INST] b</s>" in pieces(mistral, first.ids)
    assert pieces(mistral, last.ids) == "<s>[INST]a[/INST] b</s>[INST]S\n\nc[/INST] d</s>"


def test_no_text_of_a_message_is_a_control_token(pair):
    name, kind, form, theirs = pair
    conversation = messages(INJECTED, INJECTED + "!", INJECTED, "b")
    clean, stated = messages("x", "x!", "x", "b"), list(form.controls.values())
    rows, expected = form.rows(conversation), form.rows(clean)
    for row, other in zip(rows, expected, strict=True):
        markers = (r.ids[np.isin(r.ids, stated)].tolist() for r in (row, other))
        assert next(markers) == next(markers)
    row = rows[-1]
    options = {"sanitize_control_tokens": True, "return_dict": True}
    safe = theirs.apply_chat_template(conversation, **options)["input_ids"]
    assert len(rows) > 1 or row.ids.tolist() == safe[: len(row.ids)]
    assert pieces(form, row.ids).replace(" ", "").count(INJECTED[2:].replace(" ", "")) == 3


def test_what_a_vocabulary_lacks_is_unknown_and_no_control_token():
    """Of byte pairs without bytes: a letter that they lack is `<unk>`, as in any text."""
    from tokenizers import Tokenizer, models

    letters = {letter: 3 + k for k, letter in enumerate("abcdefghijklmnopqrstuvwxyzAU:\n ")}
    made = Tokenizer(models.BPE({"<unk>": 0, "<s>": 1, "</s>": 2} | letters, [], unk_token="<unk>"))
    made.add_special_tokens(["<unk>", "<s>", "</s>"])
    form = ChatFormat(with_chat(PublishedTokenizer(json.loads(made.to_str())), None))
    (row,) = form.rows(messages("hi \U0001f600", "yes \u00e9"))
    (other,) = form.rows(messages("hi a", "yes a"))
    same = row.ids == other.ids
    assert row.ids[~same].tolist() == [0, 0] and row.learnt.tolist() == other.learnt.tolist()
    named = form.prompt(messages("hi <unk>"))
    assert 1 not in named and 2 not in named


def test_a_tokenizer_keeps_its_template(tmp_path):
    form, _ = chat("llama3")
    again = ChatFormat(load_tokenizer(form.tokenizer.to_json()))
    assert again.prompt(CHATS[2][:2]).tolist() == form.prompt(CHATS[2][:2]).tolist()
    assert again.end == form.end == "<|eot_id|>"


def test_the_default_template_ends_answers_by_the_end_of_text():
    tokenizer = with_chat(ByteTokenizer(["<|endoftext|>"]), None)
    assert tokenizer.chat["source"] == DEFAULT
    form = ChatFormat(tokenizer)
    (row,) = form.rows(messages("a <|endoftext|>", "b", "c", "d", system="s"))
    assert pieces(form, row.ids) == (
        "System:\ns\nUser:\na <|endoftext|>\nAssistant:\nb<|endoftext|>\n"
        "User:\nc\nAssistant:\nd<|endoftext|>"
    )
    assert (row.ids == 0).sum() == 2 and pieces(form, row.ids[row.learnt]) == (
        "b<|endoftext|>d<|endoftext|>"
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (DEFAULT.replace("eos_token", "''"), "ends no assistant's message by a special token"),
        (
            CHATML.replace("{% if add", "{% if false and add"),
            None,  # it asks without a header, which the answer then begins with
        ),
        (
            CHATML.replace("assistant\n", "assistant\n<think>\n"),
            "asks for an answer by .*<think>.* and does not begin an assistant's message with it",
        ),
        (
            CHATML.replace("<|im_end|>", "{{ '<|im_end|>' if message.content != 'b' }}"),
            "does not end this answer by '<|im_end|>': 'b",
        ),
        (
            CHATML.replace("message['content']", "message['content'].replace('<|im_end|>', '')"),
            "holds the name of a special token, which the chat template itself looks for",
        ),
    ],
)
def test_templates_that_no_mask_fits_are_refused(source, said):
    def rows():
        return chat("chatml", source=source)[0].rows(messages("a <|im_end|>", "b"))

    if said is None:
        (row,) = rows()
        assert row.learnt.sum() == len(row.ids) - row.learnt.argmax()
        return
    with pytest.raises(UserError, match=said.replace("|", r"\|")):
        rows()


def test_conversations_that_teach_nothing_or_hold_no_characters_are_refused():
    form, _ = chat("chatml")
    with pytest.raises(UserError, match="no message is the assistant's"):
        form.rows(messages("a"))
    with pytest.raises(UserError, match=r"a message holds U\+FDD1, which is no character"):
        form.rows(messages("a \ufdd10\ufdd2", "b"))
    gemma, _ = chat("gemma")
    with pytest.raises(UserError, match="System role not supported"):
        gemma.rows(messages("a", "b", system="s"))
