"""Sentence vectors: batches, padding, pooling."""

import pytest
import torch

from zoo.models.bert import BERT
from zoo.tasks.sentences import BATCH, cosines, sentence_vectors

HERE = torch.device("cpu")


@pytest.mark.parametrize("pool", ["mean", "cls"])
def test_a_text_has_the_same_vector_alone_and_padded_in_a_batch(pool):
    torch.manual_seed(0)
    model = BERT(20, 12, width=16, depth=2, heads=2, pad_id=3, positions="rotary").eval().double()
    rows = [torch.randint(20, (1 + k % 12,)).tolist() for k in range(BATCH + 9)]
    with torch.no_grad():
        vectors = sentence_vectors(model, rows, pool, HERE)
        for row, vector in zip(rows, vectors, strict=True):
            tokens = torch.tensor([row])
            x = model.token_vectors(tokens, torch.ones_like(tokens, dtype=torch.bool))[0]
            expected = x[0] if pool == "cls" else x.mean(0)
            torch.testing.assert_close(vector, expected, rtol=1e-10, atol=1e-10)


def test_cosines_are_those_with_the_first():
    vectors = torch.tensor([[1.0, 0.0], [0.0, 5.0], [-2.0, 0.0], [3.0, 3.0]])
    assert cosines(vectors).tolist() == pytest.approx([1.0, 0.0, -1.0, 0.5**0.5])
