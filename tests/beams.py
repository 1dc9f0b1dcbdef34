"""What a beam search does with an encoder-decoder: beams are dropped and doubled."""

import torch


def check_selected_beams(model, source, target):
    """After three tokens sentence 2 continues twice, 0 once, 1 not at all."""
    memory, cache = model.encode(source), model.new_cache(len(source))
    model.decode(target[:, :3], memory, cache)
    index = torch.tensor([2, 0, 2])
    memory, cache = model.select(memory, index), model.select(cache, index)
    tail = target[:, 3:]  # of other sentences than the heads
    expected = model(source[index], torch.cat([target[index, :3], tail], 1))[:, 3:]
    actual = model.decode(tail, memory, cache)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
