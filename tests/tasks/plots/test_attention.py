"""Attention as heat maps: the right weights in the right places, with the right names."""

import numpy
import pytest
import torch
from previews import Previews

from zoo.data.tokenizers.registry import train_tokenizer
from zoo.figures import render
from zoo.inference.attention_maps import attention_maps
from zoo.models.bert import BERT
from zoo.models.gpt import GPT
from zoo.models.rnn_attention import RnnAttention
from zoo.models.transformer import Transformer
from zoo.tasks.plots.attention import attention_card, heat_maps, pair_attention, text_attention

LETTERS = train_tokenizer("char", ["abcdefghijklm"], specials=["<pad>", "<s>", "</s>"])


def drawn(figure):
    """The plot's weights, and its labels."""
    (axes,) = figure.axes
    image = axes.images[0].get_array()
    return numpy.ma.filled(image, numpy.nan) ** 2, [text.get_text() for text in axes.texts]


def test_weights_stand_where_their_head_and_layer_are():
    torch.manual_seed(0)
    maps = [torch.rand(2, 3, 4).softmax(-1) for _ in range(2)]
    image, texts = drawn(heat_maps(maps, list("abc"), list("wxyz")))
    assert image.shape == (3 + 1 + 3, 4 + 1 + 4)
    for layer in range(2):
        for head in range(2):
            part = image[layer * 4 :, head * 5 :][:3, :4]
            numpy.testing.assert_allclose(part, maps[layer][head], rtol=1e-5)
    assert numpy.isnan(image[3]).all() and numpy.isnan(image[:, 4]).all()
    for name in [*"abcwxyz", "head 1", "head 2", "layer 1", "layer 2"]:
        assert texts.count(name) == (2 if len(name) == 1 else 1)


def test_of_many_layers_and_heads_a_few_are_drawn():
    maps = [torch.full((12, 2, 2), 0.5) for _ in range(24)]
    figure = heat_maps(maps, ["a", "b"], ["a", "b"])
    image, texts = drawn(figure)
    assert image.shape == (4 * 3 - 1, 8 * 3 - 1)
    assert {"layer 1", "layer 24", "head 8"} <= set(texts) and "head 9" not in texts
    assert "8 of 12 heads, 4 of 24 layers" in figure.get_suptitle()


def test_any_token_can_be_a_label():
    names = ["$x$", "$\\frac$", "日本", "a" * 40, "_{", "\x00", "", "\n"]
    figure = heat_maps([torch.full((1, 8, 8), 1 / 8)], names, names)
    assert render(figure)[0]
    labels = drawn(figure)[1]
    assert max(map(len, labels)) < 15 and "$x$" in labels and "↵" in labels


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["gpt", "bert"])
def test_heads_in_a_text(name):
    torch.manual_seed(0)
    options = dict(vocab_size=16, block_size=40, width=8, depth=2, heads=2)
    model = GPT(**options).eval() if name == "gpt" else BERT(**options, pad_id=0).eval()
    tokens, previews = torch.randint(3, 16, (30,)), Previews()
    text_attention(model, tokens, LETTERS, previews)
    ((tag, figure),) = previews.full.items()
    image, texts = drawn(figure)
    assert tag == "attention" and image.shape == (41, 41)  # the first twenty tokens
    assert texts[:20] == [LETTERS.token(i) for i in tokens[:20].tolist()]
    first = image[:20, :20]
    numpy.testing.assert_allclose(first.sum(1), 1, rtol=1e-5)
    assert (numpy.triu(first, 1) == 0).all() == (name == "gpt")


@pytest.mark.parametrize("build", [Transformer, RnnAttention])
def test_heads_that_look_at_the_source(build):
    torch.manual_seed(0)
    options = dict(vocab_size=16, pad_id=0, width=8)
    if build is Transformer:
        options |= dict(max_length=12, depth=1, heads=2, inner=8)
    source, target = torch.tensor([1, 5, 6, 7, 8, 2]), torch.tensor([1, 9, 10])
    previews = Previews()
    pair_attention(build(**options).eval(), source, target, LETTERS, previews)
    image, texts = drawn(previews.full["attention"])
    assert image.shape == (3, 6 * (1 if build is RnnAttention else 2) + (build is Transformer))
    numpy.testing.assert_allclose(image[:, :6].sum(1), 1, rtol=1e-5)
    assert texts[:3] == ["<s>", "g", "h"] and "</s>" in texts


def test_models_without_attention_have_no_maps_and_are_not_even_asked():
    assert attention_maps(torch.nn.Linear(2, 2), "nothing that it could take") == {}
    previews = Previews()
    text_attention(torch.nn.Linear(2, 2), torch.tensor([3, 4]), LETTERS, previews)
    assert previews.figures == {}


def test_the_card_has_words_and_the_heads_that_differ_most():
    """Three of four heads are equal: one of them is enough. Two tokens are the word `ab`."""
    early, late = torch.zeros(3, 3), torch.zeros(3, 3)
    early[:, 0] = late[:, 2] = 1
    maps = [torch.stack([early, early]), torch.stack([early, late])]
    words = [("ab", 0, 2), ("猫", 2, 3)]
    card = attention_card(maps, words, words)
    titles = [text.get_text() for text in card.texts]
    assert titles[0] == "3 of 4 heads, which differ most" and {"L1 H1", "L2 H2"} <= set(titles)
    shown = [numpy.asarray(axes.images[0].get_array()) for axes in card.axes]
    assert (shown[0][:, 0] == 1).all() and (shown[-1][:, 1] == 1).all()
    assert shown[0].shape == (2, 2)
    assert [label.get_text() for label in card.axes[0].get_yticklabels()] == ["ab", "猫"]


def test_a_card_of_a_text_begins_with_a_sentence():
    torch.manual_seed(0)
    tokenizer = train_tokenizer("char", [text := "end of it. So we go on and on, the sea is on"])
    options = dict(vocab_size=tokenizer.vocab_size, block_size=64, width=8, depth=2, heads=2)
    previews = Previews()
    tokens = torch.tensor(tokenizer.encode(text)).long()
    text_attention(GPT(**options).eval(), tokens, tokenizer, previews)
    axes = previews.figures["attention"].axes
    names = [label.get_text() for label in axes[0].get_yticklabels()]
    assert names == ["So", "we", "go", "on", "and", "on", ",", "the"]
    for one in axes:
        weights = numpy.asarray(one.images[0].get_array()) ** 2
        numpy.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
    assert "total variation" in previews.captions["attention"]
