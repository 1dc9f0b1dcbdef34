"""Fashion-MNIST: 70,000 images of clothes in MNIST's format, light on dark, ten classes.

Xiao, Rasul & Vollgraf, 2017, https://arxiv.org/abs/1708.07747.
"""

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.download import Remote
from zoo.data.images.dataset import image_dataset
from zoo.data.images.idx import Files, load_idx
from zoo.registry import DATASETS

MIRRORS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
# SHA-256 of the .gz files as their authors publish them (several projects list the same values,
# and the authors' MD5); those of the unpacked files are not published, so only .gz is accepted.
FILES: Files = (
    Remote(
        "train-images-idx3-ubyte.gz",
        MIRRORS,
        47_040_016,
        sha256="3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    Remote(
        "train-labels-idx1-ubyte.gz",
        MIRRORS,
        60_008,
        sha256="a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    Remote(
        "t10k-images-idx3-ubyte.gz",
        MIRRORS,
        7_840_016,
        sha256="346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    Remote(
        "t10k-labels-idx1-ubyte.gz",
        MIRRORS,
        10_008,
        sha256="67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
)
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


@DATASETS.register("fashion_mnist", uses=("root", "augment", "labels"), needs="download", tiny={})
def fashion_mnist(context: DataContext) -> Dataset:
    """Ten classes, images (1, 28, 28), official test split."""
    images, labels, test = load_idx(FILES, context.root, "fashion_mnist")
    return image_dataset(images, labels, CLASSES, context, fixed_test=test)
