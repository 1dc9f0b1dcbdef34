"""word2vec: word vectors trained to predict which words occur near each other.

Mikolov et al., 2013, https://arxiv.org/abs/1301.3781 (skip-gram, CBOW) and
https://arxiv.org/abs/1310.4546 (negative sampling, sub-sampling of frequent words).
Differs from the paper: many words are scored against many contexts in one matrix product, where
the authors' program takes one pair at a time. The tasks `skip_gram` and `cbow` build the pairs.
Shapes: G groups of words, N words in each, C weighted sums of them, M contexts, D width,
V vocabulary.
"""

from torch import Tensor, nn

from zoo.bounds import Positive
from zoo.kernels import batched_scores
from zoo.registry import MODELS


@MODELS.register("word2vec", task="skip_gram", tiny=dict(vocab_size=300, width=8))
class Word2Vec(nn.Module):
    """Two vectors for each word: one as a word, one as the context of another word.

    Args:
        vocab_size: V, number of words.
        width: D, embedding dimension.
    """

    def __init__(self, vocab_size: int, width: Positive = 100) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab_size, width)
        self.contexts = nn.Embedding(vocab_size, width)
        self._initialise()

    def _initialise(self) -> None:
        """As the authors' program: small word vectors; context vectors, so all scores, at zero."""
        bound = 0.5 / self.words.embedding_dim
        nn.init.uniform_(self.words.weight, -bound, bound)
        nn.init.zeros_(self.contexts.weight)

    def forward(
        self, words: Tensor, contexts: Tensor | None = None, context_weights: Tensor | None = None
    ) -> Tensor:
        """Look up word vectors, and score them against contexts.

        Args:
            words: Int64 (G, N); without `contexts` of any shape.
            contexts: Int64 (G, M); None to return the vectors.
            context_weights: (G, C, N): take C weighted sums of the N vectors first, as CBOW does.

        Returns:
            Vectors (G, N or C, D); with `contexts` scores (G, N or C, M), the log-odds that word
            and context occur together.
        """
        vectors = self.words(words)  # (G, N, D)
        if context_weights is not None:
            vectors = context_weights.to(vectors.dtype) @ vectors  # (G, C, D)
        if contexts is None:
            return vectors
        return batched_scores(vectors, self.contexts(contexts))  # vectors @ contexts.mT, (G, C, M)
