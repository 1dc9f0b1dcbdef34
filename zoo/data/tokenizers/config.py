"""Which tokenizer a config asks for."""

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.data.tokenizers.base import EOT, MASK, PAD, Tokenizer
from zoo.data.tokenizers.registry import TokenizerName, train_tokenizer
from zoo.errors import UserError


@dataclass(frozen=True)
class TokenizerConfig:
    """The settings `data.tokenizer`, `data.vocab_size`, ...

    Attributes:
        tokenizer: "byte", "char", "word" or "bpe".
        vocab_size: Maximum number of ids; bytes and characters need none.
        min_count: How often a word must occur in the training split to get an id (word).
        mask_token: Whether to reserve an id for `[MASK]`, which masked language models need.
        given: A tokenizer to use as it is: that of the weights that training starts from.
    """

    tokenizer: TokenizerName = "bpe"
    vocab_size: int | None = 4096
    min_count: int = 1
    mask_token: bool = False
    given: Tokenizer | None = None

    def __post_init__(self) -> None:
        if self.vocab_size is not None and self.vocab_size < 2:
            raise UserError(f"data.vocab_size={self.vocab_size}: expected 2 or more, or null")
        if self.min_count < 1:
            raise UserError(f"data.min_count={self.min_count}: expected 1 or more")

    def train(
        self,
        texts: Iterable[str],
        specials: Iterable[str] = (),
        leading_space: bool = False,
        as_given: bool = False,
    ) -> Tokenizer:
        """A tokenizer with these settings, fitted on texts; or the one given.

        Args:
            texts: To learn from.
            specials: Names of special tokens.
            leading_space: Whether texts are sentences, encoded with a space in front (bpe).
            as_given: Whether texts are words with spaces between, to be taken as they are (word).

        Raises:
            UserError: The one given lacks a special token that the data needs.
        """
        if self.given is not None:
            for name in set(specials) - {PAD, EOT}:  # these have substitutes
                if name not in self.given.specials:
                    raise UserError(f"the tokenizer of init.from has no '{name}', which data needs")
            return self.given
        names = [*specials, *([MASK] if self.mask_token else [])]
        return train_tokenizer(
            self.tokenizer, texts, self.vocab_size, self.min_count, names, leading_space, as_given
        )

    def check_writes(self, data: str) -> None:
        """Refuse words for data whose texts a model is to write.

        Args:
            data: What it is, for the message.

        Raises:
            UserError: The settings ask for words.
        """
        if self.tokenizer == "word":
            raise UserError(
                "data.tokenizer=word drops capitals, digits and punctuation, so that no text can "
                f"be written with it; {data} takes data.tokenizer=bpe, char or byte"
            )

    def check_same(self, tokenizer: Tokenizer) -> None:
        """Refuse to encode a run's data with another tokenizer than its own.

        Raises:
            UserError: The settings ask for another kind.
        """
        if self.tokenizer != tokenizer.kind:
            raise UserError(
                f"data.tokenizer={self.tokenizer}: the run was trained with a {tokenizer.kind} "
                f"tokenizer of {tokenizer.vocab_size:,} tokens, and its weights do not fit "
                f"another; set data.tokenizer={tokenizer.kind}"
            )
