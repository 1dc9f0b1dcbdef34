"""Windows, subsampling and negative samples against word2vec's definitions."""

import torch
from word_vectors import EOT, WORDS, counts, text

from zoo.tasks.word_windows import BLOCK, NO_WORD, WordWindows, keep_first


def windows(window=5, sample=0.0):
    zeroed = torch.tensor(counts())
    zeroed[:2] = 0
    return WordWindows(zeroed, EOT, window, sample, 0.75)


def pairs_of(blocks):
    """The word of each centre and of each of its neighbours, in the order of the text."""
    for centre, around, near in zip(blocks.centres, blocks.around, blocks.near):
        for c in range(BLOCK):
            yield int(centre[c]), around[c + near[c].nonzero().flatten()].tolist()


def test_a_window_of_one_has_the_adjacent_words():
    """Unknown words are skipped; no pair crosses a sequence or a document."""
    rows = text(5, 90)
    actual = [pair for pair in pairs_of(windows(window=1).blocks(rows)) if pair[1]]
    expected = []
    for row in rows.tolist():
        documents, known = [[]], [i for i in row if i != 0]
        for i in known:
            documents.append([]) if i == EOT else documents[-1].append(i)
        for words in documents:
            sides = [words[max(k - 1, 0) : k] + words[k + 1 : k + 2] for k in range(len(words))]
            expected += [(word, side) for word, side in zip(words, sides) if side]
    assert actual == expected


def test_window_sizes_are_drawn_uniformly():
    torch.manual_seed(0)
    rows = 2 + torch.arange(3000)[None] % (WORDS - 2)  # a word encodes its position
    hits = torch.zeros(6)
    for word, near in pairs_of(windows(window=5).blocks(rows)):
        distances = sorted((other - word + 19) % 38 - 19 for other in near)
        size = max(map(abs, distances), default=0)
        if len(distances) == 2 * size:  # not at an end of the text
            assert distances == [d for d in range(-size, size + 1) if d]
            hits[size] += 1
    assert hits[1:].sum() > 2980
    torch.testing.assert_close(hits[1:] / hits.sum(), torch.full((5,), 0.2), atol=0.03, rtol=0)


def test_frequent_words_are_subsampled_as_in_the_authors_program():
    torch.manual_seed(0)
    sample = 0.02
    known = torch.tensor(counts()[2:], dtype=torch.float64)
    rows = torch.arange(2, WORDS).repeat(400)[None]
    blocks = windows(sample=sample).blocks(rows)
    kept = torch.bincount(blocks.centres[blocks.centres > 0], minlength=WORDS)[2:] / 400
    share = known / known.sum()
    expected = ((share / sample).sqrt() + 1) * (sample / share)  # word2vec.c
    torch.testing.assert_close(kept.double(), expected.clamp(max=1), atol=0.08, rtol=0)
    assert kept[-1] == 1 and kept[0] < 0.5


def test_negative_samples_follow_the_frequencies_to_the_power():
    torch.manual_seed(0)
    drawn = windows().noise(4000, 16)
    assert drawn.shape == (4000, 16) and int(drawn.min()) >= 2  # no unknown word, no end of text
    weights = torch.tensor(counts()[2:], dtype=torch.float64) ** 0.75
    share = torch.bincount(drawn.flatten(), minlength=WORDS)[2:] / drawn.numel()
    torch.testing.assert_close(share.double(), weights / weights.sum(), rtol=0.1, atol=0)


def test_a_gpu_keeps_the_same_words_in_the_same_order():
    words, documents = torch.tensor([5, 6, 7, 8]), torch.tensor([1, 1, 2, 2])
    kept = torch.tensor([False, True, False, True])
    first, of = keep_first(words, documents, kept)
    assert first.tolist() == [6, 8, NO_WORD, NO_WORD] and of.tolist() == [1, 2, 0, 0]


def test_words_that_were_not_kept_are_in_no_pair(monkeypatch):
    few, found = windows(window=2), []
    kept = torch.tensor([3, 4, 5]), torch.tensor([1, 1, 1])
    for more in (0, 30):
        columns = [torch.nn.functional.pad(column, (0, more)) for column in kept]
        monkeypatch.setattr(few, "_subsample", lambda text, columns=columns: columns)
        torch.manual_seed(0)
        found.append([*pairs_of(few.blocks(torch.zeros(1, 3 + more, dtype=torch.int64)))])
    assert len(found[0]) == BLOCK and any(near for _, near in found[0])
    assert found[1][:BLOCK] == found[0] and not any(near for _, near in found[1][BLOCK:])
