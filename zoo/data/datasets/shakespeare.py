"""Tiny Shakespeare: 1.1 MB of plays, 65 different characters.

Karpathy, 2015, https://karpathy.github.io/2015/05/21/rnn-effectiveness/. The customary split (as
in nanoGPT) trains on the first 90 % and judges on the last 10 %. There is no third part: `test`
repeats `val`, so that figures compare with published ones.
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
    "input.txt",
    ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",),
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)
SHARE = 0.9


@DATASETS.register("shakespeare", needs="download", tiny=dict(block_size=32))
def shakespeare(
    split: Split,
    form: TextForm,
    block_size: int,
    encoding: dict[str, Any] | None = None,
    root: str = "data",
) -> Dataset:
    """The plays as one text; `split` has no say."""
    text = fetch(FILE, root, "shakespeare").decode("utf-8")
    cut = int(SHARE * len(text))
    whole, rest = Document.of("shakespeare", text), Document.of("shakespeare", text[cut:])
    dealt = {"train": [Document.of("shakespeare", text[:cut])], "val": [rest], "test": [rest]}
    return token_dataset("shakespeare", dealt, form, block_size, root, encoding, [whole])
