"""A tokenizer of each kind, trained on text of several scripts that also holds special tokens."""

from zoo.data.tokenizers.registry import EOT, MASK, train_tokenizer

SPECIALS = [EOT, MASK]
MIXED = (
    "The cat sat on the mat; the other cats sat on the other mats.\n\tdef f(x):\r\n"
    "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n"
    "Größe, naïve, été. Привет, мир! שלום 👍🏽 👨‍👩‍👧 e\u0301 \u200b\x00 |<|endoftext|>[MASK]<unk>"
)
MADE = {
    kind: train_tokenizer(kind, [MIXED] * 3, vocab_size=400, specials=SPECIALS)
    for kind in ("byte", "char", "word", "bpe")
}
