"""Pictures of a model with codes: which images of a batch are on them."""

import torch
from previews import Previews

from zoo.models.vae import VAE
from zoo.tasks.elbo import Elbo


def test_images_are_spread_over_the_batch():
    """Those of a folder are read class by class: the first are all alike."""
    model = VAE((1, 4, 4), latent=3, width=4, depth=1).eval()
    unit = torch.ones(40, 1, 4, 4)
    unit[:20] = 0.0  # black, then white
    task, previews = Elbo((1, 4, 4), [0.5], [0.5]), Previews()
    with torch.no_grad():
        model.decoder[-1].bias.fill_(0.3)
        task.preview(model, {"input": 2 * unit - 1}, {}, previews)
    restored = torch.as_tensor(previews.full["restored"].axes[0].images[0].get_array())
    shown = restored[1:5, 1::5, 0].float().mean(0)  # a column of each of twelve images
    assert shown.tolist() == [0.0] * 6 + [255.0] * 6 + [128.0] * (len(shown) - 12)
    between = torch.as_tensor(previews.full["between"].axes[0].images[0].get_array())
    ways = [row[1:5, 1:-1].float() for row in between[:-1, :, 0].split(5)]
    changes = [float((way[:, :4] - way[:, -4:]).abs().max()) for way in ways]
    assert len(changes) == 6 and max(changes) > 0, "from black to white, once"
