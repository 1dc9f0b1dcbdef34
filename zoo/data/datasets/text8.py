"""text8: the first 100 MB of an English Wikipedia of 2006, reduced to 26 letters and the space.

Mahoney, 2006, http://mattmahoney.net/dc/textdata.html. The customary split is by position: 90
million characters for train, 5 million for val, 5 million for test.
"""

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.download import Remote, fetch
from zoo.data.text.document import Document
from zoo.data.text.windows import token_dataset
from zoo.registry import DATASETS

FILE = Remote(
    "text8.zip",
    ("http://mattmahoney.net/dc/", "https://mattmahoney.net/dc/"),
    size=100_000_000,
    sha256="a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
    content_sha256="6e890197040d37d85beb962ae1f041ff1d9a9ca8d20c7d99c85027eebf51dca7",
)
FRACTIONS = {"train": 0.9, "val": 0.05, "test": 0.05}


@DATASETS.register("text8", uses=("root", "tokenizer"), needs="download", tiny={"block_size": 32})
def text8(context: DataContext, block_size: int) -> Dataset:
    """Lower-case words without punctuation; the split is fixed."""
    context.check_no_folds("the split of text8 is fixed")
    text = fetch(FILE, context.root, "text8").decode("ascii")
    documents, start = {}, 0
    for split, fraction in FRACTIONS.items():
        stop = start + round(fraction * len(text))
        documents[split] = [Document.of(f"text8 {split}", text[start:stop])]
        start = stop
    return token_dataset("text8", documents, context, block_size, [Document.of("text8", text)])
