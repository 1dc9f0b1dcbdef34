"""Documents of a packed row: their positions, and who sees whom."""

import torch

from zoo.layers.documents import document_mask, document_positions

DOCUMENTS = torch.tensor([[0, 0, 0, 1, 2, 2], [0, 1, 1, 1, -1, -1]])


def test_positions_begin_anew_in_each_document():
    assert document_positions(DOCUMENTS).tolist() == [[0, 1, 2, 0, 0, 1], [0, 0, 1, 2, 0, 1]]
    assert document_positions(DOCUMENTS.to(torch.int16)).dtype == torch.int64


def test_tokens_of_one_document_see_each_other():
    mask = document_mask(DOCUMENTS)
    assert mask.shape == (2, 1, 6, 6)
    for row, numbers in zip(mask[:, 0].tolist(), DOCUMENTS.tolist()):
        assert row == [[a == b for b in numbers] for a in numbers]
