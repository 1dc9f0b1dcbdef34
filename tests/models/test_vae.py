"""The encoder and the decoder: sizes of any kind, classes, the code that noise chooses."""

import pytest
import torch

from zoo.errors import UserError
from zoo.models.vae import VAE, halved


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 20), (1, 5, 9), (2, 1, 1)])
@pytest.mark.parametrize("layers", ["dense", "conv"])
def test_images_of_any_size_come_back_in_theirs(shape, layers):
    model = VAE(shape, 3, latent=4, layers=layers, width=4, depth=3, conditional=True)
    x, classes = torch.randn(2, *shape), torch.tensor([0, 2])
    output = model(x, classes, torch.randn(2, 4))
    assert output.mean.shape == output.log_variance.shape == (2, 4)
    assert output.pixels.shape == (2, 2, *shape)


def test_convolutions_halve_what_is_large():
    assert halved((28, 9), 4) == [(28, 9), (14, 5), (7, 3), (7, 3), (7, 3)]
    model = VAE((1, 28, 28), layers="conv", width=4, depth=3, likelihood="bernoulli")
    assert [m.out_channels for m in model.encoder.layers[::2]] == [4, 8, 16]
    assert model.encoder.features == 16 * 4 * 4


def test_the_class_is_told_to_both_halves():
    model = VAE((1, 4, 4), 2, latent=3, width=8, depth=1, conditional=True)
    torch.nn.init.normal_(model.code.weight)
    x, z = torch.randn(1, 1, 4, 4), torch.randn(1, 3)
    first, second = torch.tensor([0]), torch.tensor([1])
    assert not torch.equal(model.encode(x, first)[0], model.encode(x, second)[0])
    assert not torch.equal(model.decode(z, first), model.decode(z, second))
    with pytest.raises(UserError, match="needs data with classes"):
        VAE((1, 4, 4), conditional=True)


def test_noise_chooses_the_code():
    model = VAE((1, 4, 4), latent=3, width=8, depth=1)
    x, noise = torch.randn(5, 1, 4, 4), torch.randn(5, 3)
    output = model(x, None, noise)
    z = output.mean + (output.log_variance / 2).exp() * noise
    torch.testing.assert_close(output.pixels, model.decode(z))
    torch.testing.assert_close(model(x).pixels, model.decode(output.mean))
