"""Pictures of a diffusion model: which images of a batch are repainted."""

import torch
from previews import Previews
from test_every_model import make


def test_repainted_images_are_spread_over_the_batch():
    """Those of a folder are read class by class: the first are all alike."""
    case, previews = make("unet"), Previews()
    pixels = torch.full_like(case.example.batch["input"], -9.0)  # black, then white
    pixels[9:] = 9.0  # of twelve, of which eight are shown
    with torch.no_grad():
        case.task.preview(case.model.eval(), {"input": pixels}, {}, previews)
    real = previews.full["repainted"].axes[0].images[0].get_array()
    assert real[:, 0].max() == 0 and real[:, -2].min() == 255
