"""text8: the first 100 MB of an English Wikipedia of 2006, reduced to 26 letters and the space.

Mahoney, 2006, http://mattmahoney.net/dc/textdata.html. The customary split is by place: 90 million
characters to train, 5 million to choose, 5 million to judge.
"""

from typing import Any

from zoo.data.dataset import Dataset
from zoo.data.download import Remote, fetch
from zoo.data.splits import Split
from zoo.data.text.document import Document
from zoo.data.text.encoding import TextForm
from zoo.data.text.windows import token_dataset
from zoo.registry import DATASETS

FILE = Remote(
    "text8.zip",
    ("http://mattmahoney.net/dc/", "https://mattmahoney.net/dc/"),
    size=100_000_000,
    sha256="a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
    content_sha256="6e890197040d37d85beb962ae1f041ff1d9a9ca8d20c7d99c85027eebf51dca7",
)
SHARE = {"train": 0.9, "val": 0.05, "test": 0.05}


@DATASETS.register("text8", needs="download", tiny=dict(block_size=32))
def text8(
    split: Split,
    form: TextForm,
    block_size: int,
    encoding: dict[str, Any] | None = None,
    root: str = "data",
) -> Dataset:
    """Lower-case words without punctuation; `split` has no say."""
    text = fetch(FILE, root, "text8").decode("ascii")
    documents, start = {}, 0
    for name, share in SHARE.items():
        stop = start + round(share * len(text))
        documents[name] = [Document.of(f"text8 {name}", text[start:stop])]
        start = stop
    whole = Document.of("text8", text)
    return token_dataset("text8", documents, form, block_size, root, encoding, [whole])
