"""MNIST: 70,000 handwritten digits, 28x28 grey, light on dark; 60,000 to train, 10,000 to test.

LeCun, Bottou, Bengio & Haffner, 1998, https://doi.org/10.1109/5.726791.
"""

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.download import Remote
from zoo.data.images.dataset import image_dataset
from zoo.data.images.idx import Files, load_idx
from zoo.registry import DATASETS

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
FILES: Files = (
    Remote(
        "train-images-idx3-ubyte.gz",
        MIRRORS,
        47_040_016,
        content_sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    Remote(
        "train-labels-idx1-ubyte.gz",
        MIRRORS,
        60_008,
        content_sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    Remote(
        "t10k-images-idx3-ubyte.gz",
        MIRRORS,
        7_840_016,
        content_sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    Remote(
        "t10k-labels-idx1-ubyte.gz",
        MIRRORS,
        10_008,
        content_sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)


@DATASETS.register("mnist", uses=("root", "augment", "labels"), needs="download", tiny={})
def mnist(context: DataContext) -> Dataset:
    """Ten classes, images (1, 28, 28), official test split."""
    images, labels, test = load_idx(FILES, context.root, "mnist")
    names = [str(digit) for digit in range(10)]
    return image_dataset(images, labels, names, context, fixed_test=test)
