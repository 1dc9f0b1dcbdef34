"""Pairs of texts: what goes in comes out, nothing leaks between splits, mistakes are one line."""

import hashlib

import pytest
import torch
from contexts import context

from zoo.data.datasets import multi30k as multi30k_module
from zoo.data.datasets.numbers import LONGEST, in_words, numbers
from zoo.data.datasets.pairs import pairs
from zoo.data.encoding import load_encoding
from zoo.data.splits import Split
from zoo.data.text.pairs import pair_dataset
from zoo.data.text.ragged import Ragged
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

CHAR, BYTE = (TokenizerConfig(kind, vocab_size=None) for kind in ("char", "byte"))
BPE = TokenizerConfig("bpe", vocab_size=300)
SENTENCES = ["Zwei Männer, draußen.", "two  men", "x", "A man's 3 dogs!", "我们 are", "dog"]


def texts(dataset, split):
    """The pairs of a split, decoded from what a batch holds."""
    source, every = dataset.splits[split], dataset.encoding
    index = torch.arange(len(source))
    batch = every.prepare(source.fetch(index, torch.zeros_like(index)))
    decode = every.tokenizer.decode
    sides = (batch[side].tolist() for side in ("source", "target"))
    return [(decode(a), decode(b)) for a, b in zip(*sides, strict=True)]


def tiny_pairs(number=40):
    return [(SENTENCES[k % 6] + f" {k}", f"{k} " + SENTENCES[(k + 1) % 6]) for k in range(number)]


def made(tokenizer=CHAR, **options):
    found = tiny_pairs()
    splits = {"train": found[:30], "val": found[30:35], "test": found[35:]}
    return pair_dataset("toy", splits, context(tokenizer=tokenizer), **options), splits


@pytest.mark.parametrize("form", [CHAR, BYTE, BPE], ids=lambda form: form.tokenizer)
def test_texts_come_back_exactly(form):
    dataset, splits = made(form)
    for name, found in splits.items():
        assert texts(dataset, name) == found
    again = load_encoding(dataset.encoding.to_json())
    for text in SENTENCES:
        assert again.encode(text).tolist() == dataset.encoding.encode(text).tolist()
        assert again.tokenizer.decode(again.encode(text)) == text


def test_batches_are_as_tasks_and_models_expect():
    dataset, splits = made()
    facts = dataset.facts
    assert (facts["pad_id"], facts["bos_id"], facts["eos_id"]) == (0, 1, 2)
    batch = dataset.splits["train"].fetch(torch.tensor([4, 0, 2]), torch.zeros(3))
    for k, side in enumerate(("source", "target")):
        lengths = [len(splits["train"][i][k]) + 2 for i in (4, 0, 2)]
        assert batch[side].shape == (3, max(lengths))
        for row, length in zip(batch[side], lengths, strict=True):
            assert row[0] == 1 and row[length - 1] == 2
            assert (row[1 : length - 1] > 2).all() and not row[length:].any()
    assert facts["max_length"] == max(len(t) for p in tiny_pairs() for t in p) + 2
    assert facts["vocab_size"] == 3 + len({c for p in tiny_pairs() for t in p for c in t})
    assert dataset.encoding.runtime_facts == {"tokenizer": dataset.encoding.tokenizer}


def test_the_first_word_of_a_sentence_is_read_as_any_other():
    dataset = pair_dataset(
        "toy", dict.fromkeys(["train", "val", "test"], [("dog dog",) * 2]), context(tokenizer=BPE)
    )
    first, second = dataset.encoding.tokenizer.encode("dog dog")
    assert first == second


def test_bpe_is_learnt_on_training_text_alone():
    plain = [("ab", "ab")] * 9
    rare = {"train": plain, "val": [("zqzq", "zqzq")] * 99, "test": plain}
    tokenizer = pair_dataset("toy", rare, context(tokenizer=BPE)).encoding.tokenizer
    assert len(tokenizer.encode("zqzq")) == 5 and len(tokenizer.encode("ab")) == 1


def test_bucket_key_is_the_targets_length_then_the_sources():
    dataset, splits = made()
    order = dataset.splits["train"].bucket_key.argsort(stable=True).tolist()
    lengths = [(len(b), len(a)) for a, b in splits["train"]]
    assert [lengths[i] for i in order] == sorted(lengths)


def test_rows_of_unequal_length_survive_selection_and_moving():
    rows = [torch.arange(1, n + 1).numpy() for n in (3, 1, 0, 5)]
    ragged = Ragged.of(rows, torch.int16).to(torch.device("cpu"))
    assert ragged.rows(torch.tensor([1, 0, 1])).tolist() == [[1, 0, 0], [1, 2, 3], [1, 0, 0]]
    assert ragged.rows(torch.tensor([2, 3])).tolist() == [[0] * 5, [1, 2, 3, 4, 5]]


def test_a_run_judges_other_pairs_by_its_own_encoding():
    dataset, _ = made(BPE, max_length=12)
    fitted = dataset.encoding.to_json()
    other = {"train": [("dog", "x")], "val": [], "test": [("x", "men"), ("x" * 50, "x")]}
    judged = pair_dataset("other", other, context(tokenizer=BPE, encoding=fitted))
    assert texts(judged, "all") == [("dog", "x"), ("x", "men")]
    assert judged.facts == dataset.facts
    with pytest.raises(UserError, match=r"^data.tokenizer=char: the run was .* a bpe tokenizer"):
        pair_dataset("other", other, context(tokenizer=CHAR, encoding=fitted))
    with pytest.raises(UserError, match="pairs of texts, the run was trained on images"):
        pair_dataset("other", other, context(tokenizer=BPE, encoding=IMAGE))


IMAGE = {
    "kind": "image", "channels": 1, "size": [8, 8], "mean": [0.5], "std": [0.5],
    "resize": "stretch", "class_names": ["a", "b"],
}  # fmt: skip


def test_long_pairs_are_left_out_and_counted():
    dataset, _ = made(CHAR, max_length=20)
    assert max(len(text) for pair in texts(dataset, "train") for text in pair) == 18
    left = len(texts(dataset, "train"))
    assert f"{30 - left} of 30 in train" in dataset.notes[1]
    assert dataset.facts["max_length"] == 20
    with pytest.raises(UserError, match=r"longer than 3 tokens \(the longest has 26\).*max_length"):
        made(CHAR, max_length=3)


def test_words_are_refused():
    with pytest.raises(UserError, match="drops capitals and punctuation.*bpe, char or byte"):
        made(TokenizerConfig("word"))


# ------------------------------------------------------------------ the user's own files


def test_a_table_and_two_files_are_the_same_pairs(write, split):
    found = tiny_pairs()
    table = write("pairs.tsv", "\ufeff" + "\r\n".join(f" {a}\t{b}" for a, b in found) + "\r\n\n")
    sides = [write(f"{k}.txt", "\n".join(pair[k] for pair in found)) for k in (0, 1)]
    one = pairs(context(split, tokenizer=CHAR), path=table)
    other = pairs(context(split, tokenizer=CHAR), source=sides[0], target=sides[1])
    assert one.sha256 == other.sha256
    assert sorted(sum((texts(one, s) for s in one.splits), [])) == sorted(found)


def test_only_line_feeds_part_lines(write, split):
    table = write("pairs.tsv", "".join(f"a\u2028{k}\x0cb\tc\x85d\n" for k in range(20)))
    assert all(
        a[1] == "\u2028"
        for a, _ in texts(pairs(context(split, tokenizer=CHAR), path=table), "train")
    )


def test_translations_of_one_source_share_a_split(write, split):
    table = write("pairs.tsv", "".join(f"s{k % 10}\tt{k}\n" for k in range(100)))
    dataset = pairs(context(split, tokenizer=CHAR), path=table)
    sources = [{a for a, _ in texts(dataset, name)} for name in ("train", "val", "test")]
    assert [len(one) for one in sources] == [6, 2, 2] and len(set().union(*sources)) == 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\nab\n", "pairs.tsv, line 2: no tab, expected one"),
        ("a\tb\na\tb\tc\n", "pairs.tsv, line 2: 2 tabs, expected one.*cut -f1,2"),
        ("a\tb\n \tb\n", "pairs.tsv, line 2: the source is empty"),
        ("a\tb\na\t\n", "pairs.tsv, line 2: the target is empty"),
        (b"a\tb\na\t\xff\n", r"pairs.tsv, line 2: not UTF-8 \(byte 0xff at offset 6\)"),
        ("\n\n", "pairs.tsv: the file is empty"),
        ("a\tb\n", "the (val|test) split is empty"),
    ],
)
def test_mistakes_in_a_table(write, split, content, message):
    with pytest.raises(UserError, match=message):
        pairs(context(split, tokenizer=CHAR), path=write("pairs.tsv", content))


def test_mistakes_in_two_files(write, split):
    one, other, hole = (
        write(n, t) for n, t in {"a": "x\ny\nz\n", "b": "x\n", "c": "x\n\nz"}.items()
    )
    with pytest.raises(UserError, match=f"{one} has 3 lines, {other} has 1; expected as many"):
        pairs(context(split, tokenizer=CHAR), source=one, target=other)
    with pytest.raises(UserError, match=f"{hole}, line 2: the target is empty.*of both files"):
        pairs(context(split, tokenizer=CHAR), source=one, target=hole)
    with pytest.raises(UserError, match="no such file or folder"):
        pairs(context(split, tokenizer=CHAR), source=one, target=other + "x")


@pytest.mark.parametrize("given", [{}, {"source": "a"}, {"path": "a", "target": "b"}])
def test_which_files(split, given):
    with pytest.raises(UserError, match="expected data.path=.* or data.source=.*data.target="):
        pairs(context(split, tokenizer=CHAR), **given)


# ------------------------------------------------------------------ numbers


def read(words):
    """The number that words say, by adding up: the inverse of `in_words`, written another way."""
    units = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    units = (units + "fifteen sixteen seventeen eighteen nineteen").split()
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
    total = group = 0
    for word in words.replace("-", " ").split():
        if word in units:
            group += units.index(word)
        elif word in tens:
            group += 10 * tens.index(word) + 20
        elif word == "hundred":
            group *= 100
        else:
            total, group = total + group * {"thousand": 1000, "million": 10**6}[word], 0
    return total + group


def test_numbers_are_spelt_as_they_are_read():
    step = 7919
    assert all(read(in_words(n)) == n for n in [*range(1200), *range(0, 10**7, step)])
    assert in_words(40_215) == "forty thousand two hundred fifteen"
    assert in_words(1_000_021) == "one million twenty-one"
    assert max(len(in_words(n)) for n in range(7_000_000, 8_000_000, 37)) <= LONGEST
    assert len(in_words(7_777_777)) == LONGEST


def test_no_test_number_is_trained_on_and_the_longer_ones_are_longer():
    dataset = numbers(context(Split(0.1, 0.1), tokenizer=CHAR), size=600, letters=60)
    found = {name: texts(dataset, name) for name in dataset.splits}
    known = {
        name: {n for pair in rows for n in pair if n.isdigit()} for name, rows in found.items()
    }
    assert len(known["train"] | known["val"] | known["test"]) == 600 + len(known["longer"])
    assert known["longer"] < known["test"] and 5 * len(known["longer"]) == len(known["test"])
    for rows in found.values():
        assert all(b == in_words(int(a)) if a.isdigit() else a == in_words(int(b)) for a, b in rows)
        assert 2 * sum(a.isdigit() for a, _ in rows) == len(rows)
    letters = {name: [len(t) for pair in rows for t in pair] for name, rows in found.items()}
    assert max(letters["train"] + letters["val"]) <= 60
    assert min(len(in_words(int(n))) for n in known["longer"]) > 60
    assert {len(n) for n in known["train"]} == set(range(1, 8))
    assert dataset.facts["max_length"] == LONGEST + 2


def test_numbers_one_way(split):
    for direction, side in (("spell", 0), ("read", 1)):
        dataset = numbers(context(split, tokenizer=CHAR), direction=direction, size=200)
        assert all(pair[side].isdigit() for pair in texts(dataset, "train"))


def test_numbers_follow_the_split_seed():
    one, same, other = (
        numbers(context(Split(split_seed=s), tokenizer=CHAR), size=200).sha256 for s in (1, 1, 2)
    )
    assert one == same != other


@pytest.mark.parametrize("wrong", [{"size": 9}, {"letters": 78}, {"letters": 5}, {"longer": 1.0}])
def test_numbers_out_of_range(split, wrong):
    with pytest.raises(UserError, match="expected"):
        numbers(context(split, tokenizer=CHAR), **wrong)


# ------------------------------------------------------------------ Multi30k


@pytest.fixture
def few(monkeypatch, tmp_path):
    """A folder with a Multi30k of nine sentences, and their known sums."""
    files = {}
    for k, name in enumerate(multi30k_module.FILES):
        content = "".join(f"{name} {n} \n" for n in range(3 if k < 2 else 2)).encode()
        (tmp_path / name).write_bytes(content)
        files[name] = (len(content), hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(multi30k_module, "FILES", files)
    return tmp_path


def test_multi30k_takes_the_official_splits_in_either_direction(few, split):
    dataset = multi30k_module.multi30k(context(split, tokenizer=CHAR, root=str(few)))
    assert {name: len(s) for name, s in dataset.splits.items()} == {"train": 3, "val": 2, "test": 2}
    assert texts(dataset, "test")[1] == ("test_2016_flickr.en 1", "test_2016_flickr.de 1")
    back = multi30k_module.multi30k(
        context(split, tokenizer=CHAR, root=str(few)), direction="de-en"
    )
    assert texts(back, "train") == [(b, a) for a, b in texts(dataset, "train")]


def test_multi30k_is_verified(few, split):
    (few / "val.de").write_bytes(b"val.de 0 \nval.de X \n")
    with pytest.raises(UserError, match="val.de is not the published file of multi30k: SHA-256"):
        multi30k_module.multi30k(context(split, tokenizer=CHAR, root=str(few)))
