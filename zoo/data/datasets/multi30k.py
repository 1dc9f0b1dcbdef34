"""Multi30k: 31,014 English captions of photographs, translated into German by people.

Elliott, Frank, Sima'an and Specia, 2016, https://aclanthology.org/W16-3210. Official splits: 29,000
for train, 1,014 for val, 1,000 (2016, Flickr) for test.
"""

from typing import Literal

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.download import Remote, fetch
from zoo.data.text.pairs import pair_dataset
from zoo.registry import DATASETS

MIRRORS = ("https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/",)
FILES = {  # bytes and SHA-256 of the content
    "train.en": (
        1_801_238,
        "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
    ),
    "train.de": (
        2_110_398,
        "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
    ),
    "val.en": (
        63_297,
        "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
    ),
    "val.de": (
        75_981,
        "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
    ),
    "test_2016_flickr.en": (
        62_076,
        "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
    ),
    "test_2016_flickr.de": (
        70_649,
        "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
    ),
}
SPLITS = {"train": "train", "val": "val", "test": "test_2016_flickr"}


@DATASETS.register("multi30k", uses=("root", "tokenizer"), needs="download", tiny={})
def multi30k(
    context: DataContext,
    direction: Literal["en-de", "de-en"] = "en-de",
    max_length: int | None = None,
) -> Dataset:
    """Pairs of sentences; the split is fixed."""
    context.check_no_folds("the split of multi30k is fixed")
    source, target = direction.split("-")
    pairs = {}
    for split, file in SPLITS.items():
        sides = [read(f"{file}.{language}", context.root) for language in (source, target)]
        pairs[split] = list(zip(*sides, strict=True))
    return pair_dataset("multi30k", pairs, context, max_length)


def read(name: str, root: str) -> list[str]:
    """The sentences of one file, without the spaces around some."""
    size, sha256 = FILES[name]
    remote = Remote(f"{name}.gz", MIRRORS, size, content_sha256=sha256)
    lines = fetch(remote, root, "multi30k").decode("utf-8").split("\n")
    return [line.strip() for line in lines[:-1]]
