"""word2vec: a word is known by its neighbours. Two tables of vectors, one product.

Mikolov et al., 2013, https://arxiv.org/abs/1301.3781 (skip-gram, CBOW) and
https://arxiv.org/abs/1310.4546 (negative sampling, sub-sampling of frequent words).
Differs from the paper: scores many words against many at once, as a matrix product, where the
authors' program takes one pair of words at a time; what is predicted from what is left to the
tasks `skip_gram` and `cbow`.
Shapes: G groups, N words of each, C weighted sums of them, M words they are scored against,
D width, V vocabulary.
"""

from torch import Tensor, nn

from zoo.kernels import batched_scores
from zoo.registry import MODELS


@MODELS.register("word2vec", task="skip_gram", tiny=dict(vocab_size=300, width=8))
class Word2Vec(nn.Module):
    """A vector for each word, and another for it as somebody's context.

    Args:
        vocab_size: Words, V.
        width: Embedding dimension, D.
    """

    def __init__(self, vocab_size: int, width: int = 100) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab_size, width)
        self.contexts = nn.Embedding(vocab_size, width)
        self._initialise()

    def _initialise(self) -> None:
        """As the authors' program: small words, contexts at zero, so that all scores start at 0."""
        bound = 0.5 / self.words.embedding_dim
        nn.init.uniform_(self.words.weight, -bound, bound)
        nn.init.zeros_(self.contexts.weight)

    def forward(
        self, words: Tensor, contexts: Tensor | None = None, context_weights: Tensor | None = None
    ) -> Tensor:
        """The vectors of words, or how well they go with contexts.

        Args:
            words: int64 (G, N); of any shape where vectors are all that is asked for.
            contexts: int64 (G, M), or None for the vectors alone.
            context_weights: (G, C, N): scores C weighted sums of the N vectors, as CBOW does; None
                for each vector alone.

        Returns:
            Vectors (G, N or C, D), or scores (G, N or C, M), the log-odds of going together.
        """
        vectors = self.words(words)  # (G, N, D)
        if context_weights is not None:
            vectors = context_weights.to(vectors.dtype) @ vectors  # (G, C, D)
        if contexts is None:
            return vectors
        return batched_scores(vectors, self.contexts(contexts))  # vectors @ contexts.mT
