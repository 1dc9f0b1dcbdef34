"""Tiny Shakespeare: 1.1 MB of plays, 65 different characters.

Karpathy, 2015, https://karpathy.github.io/2015/05/21/rnn-effectiveness/. The customary split (as
in nanoGPT) trains on the first 90 % and evaluates on the last 10 %. There is no third split: `test`
is the same as `val`, so that results compare with published ones.
"""

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.download import Remote, fetch
from zoo.data.text.document import Document
from zoo.data.text.windows import token_dataset
from zoo.registry import DATASETS

FILE = Remote(
    "input.txt",
    ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",),
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)
TRAIN_FRACTION = 0.9


@DATASETS.register(
    "shakespeare", uses=("root", "tokenizer"), needs="download", tiny={"block_size": 32}
)
def shakespeare(context: DataContext, block_size: int) -> Dataset:
    """The plays as one text; the split is fixed."""
    context.check_no_folds("the split of shakespeare is fixed")
    text = fetch(FILE, context.root, "shakespeare").decode("utf-8")
    cut = int(TRAIN_FRACTION * len(text))
    plays, train, val = (Document.of("shakespeare", t) for t in (text, text[:cut], text[cut:]))
    splits = {"train": [train], "val": [val], "test": [val]}
    return token_dataset("shakespeare", splits, context, block_size, [plays])
