"""Runnable examples for the model card of a model of images: `predict(file)` gives probabilities.

A file is opened as `zoo.data.images.decode` does it: programs differ in what they make of EXIF, of
transparent parts and of more than 8 bits.
"""

from typing import Any

OPENED = """\
def opened(file):  # upright; transparent parts are black
    image = Image.open(file)
    image.draft(None, (TWICE, TWICE))  # JPEG: decode at a lower scale
DEEP    image = ImageOps.exif_transpose(image)
SHALLOW    if image.mode[-1] in "Aa" or "transparency" in image.info:
        black = Image.new("RGBA", image.size, "black")
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return image.convert("MODE")
"""
REFUSED = """\
    if image.mode[0] in "FI" or "RGB;16" in str(image.tile) or "RGBA;16" in str(image.tile):
        raise ValueError("more than 8 bits, on which this model was not trained: use Zoo")
"""
HALVED = """\
    if "RGB;16" in str(image.tile) or "RGBA;16" in str(image.tile):
        raise ValueError("colours of 16 bits, of which Pillow reads 8: use Zoo")
"""
SHALLOW = """\
    if image.mode[0] in "FI":  # more than 8 bits: LOW is black, HIGH would be beyond white
        values = np.floor((np.asarray(image, float) - LOW) * (256 / (HIGH - LOW)))
        values = np.nan_to_num(values, nan=0, posinf=255, neginf=0).clip(0, 255)
        image = Image.fromarray(values.astype(np.uint8))
"""
GRAPH = """\


def predict(file):
    image, want = opened(file), about["image"]
    size = want["width"], want["height"]
    if image.size != size and want["resize"] == "crop":
        image = ImageOps.fit(image, size, Image.Resampling.BILINEAR)
    elif image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    pixels = np.array(image).reshape(*size[::-1], -1).transpose(2, 0, 1)  # (C, H, W), bytes
    logits = run(pixels=np.ascontiguousarray(pixels)[None])[0]
"""
COLOUR = """\
from transformers import pipeline

pipe = pipeline("image-classification", model=".", top_k=None)


OPENED

def predict(file):
    return {row["label"]: row["score"] for row in pipe(opened(file))}
"""
GREY = """\
from transformers import AutoImageProcessor, AutoModelForImageClassification

processor = AutoImageProcessor.from_pretrained(".")
model = AutoModelForImageClassification.from_pretrained(".")


OPENED

def predict(file):  # grey images, which the pipeline would make colourful
    inputs = processor(opened(file), return_tensors="pt")
    with torch.no_grad():
        row = model(**inputs).logits[0].softmax(0)
    return dict(zip(model.config.id2label.values(), row.tolist()))
"""


def image_graph(about: dict[str, Any]) -> tuple[str, str]:
    """Imports and code for a graph.

    Args:
        about: What `zoo.weights.raw_inputs.describe` gave.
    """
    return "from PIL import Image, ImageOps\n", f"\n{opened(about['image'])}{GRAPH}"


def image_pipeline(about: dict[str, Any]) -> str:
    """Code for a folder for `transformers`."""
    form = about["image"]
    imports = "import numpy as np\n" if "levels" in form else ""
    imports += "import torch\n" if form["channels"] == 1 else ""
    imports += "from PIL import Image, ImageOps\n"
    example = GREY if form["channels"] == 1 else COLOUR
    return imports + example.replace("OPENED\n", opened(form))


def opened(form: dict[str, Any]) -> str:
    """The function that opens a file, for a model of images of this form."""
    deep, shallow = REFUSED, ""
    if "levels" in form:
        low, high = (int(x) if float(x).is_integer() else x for x in form["levels"])
        deep = "" if (low, high) == (0, 65536) else HALVED  # 8 of 16 bits: the same
        shallow = SHALLOW.replace("LOW", str(low)).replace("HIGH", str(high))
    text = OPENED.replace("DEEP", deep).replace("SHALLOW", shallow)
    text = text.replace("TWICE", str(2 * max(form["height"], form["width"])))
    return text.replace("MODE", "L" if form["channels"] == 1 else "RGB")
