"""BLEU by sacrebleu: how text is cut into tokens, counts of a batch, the score of a corpus.

Papineni et al., 2002, https://aclanthology.org/P02-1040; Post, 2018, https://arxiv.org/abs/1804.08771.
"""

import functools
from typing import Any, Literal

import torch
from torch import Tensor

from zoo.errors import UserError

BleuTokenizer = Literal[
    "auto", "13a", "intl", "zh", "char", "ja-mecab", "ko-mecab", "flores101", "flores200",
    "spm", "spBLEU-1K", "none",
]  # fmt: skip
BY_SCRIPT = {None: "13a", "Chinese": "zh"}  # other scripts without spaces: char
ORDER = 4  # of the longest n-grams
REMEDIES = {
    "ja-mecab": "pip install 'sacrebleu[ja]', or take task.bleu_tokenizer=char",
    "ko-mecab": "pip install 'sacrebleu[ko]', or take task.bleu_tokenizer=13a",
}
NEEDS_VOCABULARY = (
    "pip install sentencepiece, and let it download its vocabulary once; or take "
    "task.bleu_tokenizer=char"
)


def bleu_tokenizer(name: str, script: str | None) -> str:
    """sacrebleu's tokenizer: the one named, or by default that of the targets' script.

    Args:
        name: An option of `BleuTokenizer`.
        script: The script of the targets, if it has no spaces.
    """
    return BY_SCRIPT.get(script, "char") if name == "auto" else name


@functools.cache
def metric(tokenizer: str) -> Any:
    """sacrebleu's metric.

    Raises:
        UserError: A package or a download that the tokenizer needs is missing.
    """
    from sacrebleu.metrics import BLEU

    try:
        return BLEU(force=True, tokenize=tokenizer)  # without its warning about tokenised text
    except Exception as error:  # of packages, files, downloads
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        remedy = REMEDIES.get(tokenizer, NEEDS_VOCABULARY)
        raise UserError(
            f"task.bleu_tokenizer={tokenizer} cannot be used here ({reason}): {remedy}"
        ) from None


def signature(tokenizer: str) -> str:
    """sacrebleu's signature, to be quoted beside a score."""
    from sacrebleu import __version__

    cut = metric(tokenizer).tokenizer_signature
    return f"nrefs:1|case:mixed|eff:no|tok:{cut}|smooth:exp|version:{__version__}"


def bleu_counts(texts: list[str], references: list[str], tokenizer: str = "13a") -> Tensor:
    """sacrebleu's counts of generated text: matching n-grams, all n-grams (n = 1 to 4), lengths."""
    score = metric(tokenizer).corpus_score(texts, [references])
    return torch.tensor([*score.counts, *score.totals, score.sys_len, score.ref_len])  # (10,)


def bleu_of(counts: Tensor) -> Any:
    """sacrebleu's BLEUScore from the summed counts (10,) of a corpus."""
    from sacrebleu.metrics import BLEU

    numbers = [int(number) for number in counts.round().tolist()]
    correct, total, (sys_len, ref_len) = numbers[:4], numbers[4:8], numbers[8:]
    return BLEU.compute_bleu(correct, total, sys_len, ref_len, smooth_method="exp")
