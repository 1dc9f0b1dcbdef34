"""HMM: a hidden Markov model. Each word is emitted by its tag, each tag follows the one before.

Rabiner, 1989, A tutorial on hidden Markov models, https://doi.org/10.1109/5.18626; as a tagger
Church, 1988, https://doi.org/10.3115/974235.974260.
Differs from the papers: probabilities are softmaxes of free parameters, which any optimizer of the
zoo trains, in place of counting and of Baum-Welch; sums run over the logarithms, in place of
scaling. Where all tags are known, the maximum of the likelihood is the counts nevertheless.
Shapes: B batch, T words, V vocabulary, K tags.
"""

import torch
from torch import Tensor, nn

from zoo.registry import MODELS


@MODELS.register("hmm", task="tagging", tiny=dict(vocab_size=16, num_tags=3, pad_id=0), floor=2.5)
class HMM(nn.Module):
    """The probability of a sentence's words and tags, p(z1) p(w1|z1) p(z2|z1) p(w2|z2) ...

    Args:
        vocab_size: V.
        num_tags: K, the hidden states.
        pad_id: Id of the padding, on the right of shorter sentences.
    """

    context = None  # sentences of any length

    def __init__(self, vocab_size: int, num_tags: int, pad_id: int | None = None) -> None:
        super().__init__()
        self.pad_id = pad_id
        self.initial = nn.Parameter(torch.empty(num_tags))
        self.transition = nn.Parameter(torch.empty(num_tags, num_tags))  # [from, to]
        self.emission = nn.Parameter(torch.empty(num_tags, vocab_size))
        for parameter in self.parameters():  # nearly uniform; equal states would stay equal
            nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens: Tensor, tags: Tensor | None = None) -> Tensor:
        """The loss of sentences; without tags, the logarithm of p(tag of each word | all words).

        Args:
            tokens: Int64 (B, T).
            tags: Int64 (B, T), below 0 where a tag is not known: the loss is -log p(words, tags
                that are known). With all tags the joint, with none the marginal likelihood.

        Returns:
            The summed loss, a scalar; or (B, T, K).
        """
        scores, inside = self._scores(tokens, tags)
        forward = self._forward(scores, inside)
        if tags is not None:
            return -forward[-1].logsumexp(1).sum()
        backward = self._backward(scores, inside)
        return (torch.stack(forward, 1) + torch.stack(backward, 1)).log_softmax(2)

    def _scores(self, tokens: Tensor, tags: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """log p(word | tag), (B, T, K), -inf for tags that are known not to be; and where there
        are words, bool (B, T, 1)."""
        scores = self.emission.log_softmax(1).t()[tokens]
        if tags is not None:
            other = torch.arange(scores.shape[2], device=tags.device) != tags[..., None]
            scores = scores.masked_fill(other & (tags >= 0)[..., None], -torch.inf)
        if self.pad_id is None:
            return scores, torch.ones_like(tokens, dtype=torch.bool)[..., None]
        return scores, (tokens != self.pad_id)[..., None]

    def _forward(self, scores: Tensor, inside: Tensor) -> list[Tensor]:
        """log p(words to t, tag of word t), of each t (B, K); behind a sentence's end the last."""
        transition = self.transition.log_softmax(1)
        alpha = [self.initial.log_softmax(0) + scores[:, 0]]
        for t in range(1, scores.shape[1]):
            step = (alpha[-1][:, :, None] + transition).logsumexp(1) + scores[:, t]
            alpha.append(torch.where(inside[:, t], step, alpha[-1]))
        return alpha

    def _backward(self, scores: Tensor, inside: Tensor) -> list[Tensor]:
        """log p(words after t | tag of word t), of each t (B, K)."""
        transition = self.transition.log_softmax(1)
        beta = [torch.zeros_like(scores[:, 0])]
        for t in range(scores.shape[1] - 1, 0, -1):
            step = (transition + (scores[:, t] + beta[-1])[:, None]).logsumexp(2)
            beta.append(torch.where(inside[:, t], step, beta[-1]))
        return beta[::-1]

    def best_tags(self, tokens: Tensor) -> Tensor:
        """The likeliest tags of each sentence (Viterbi), int64 (B, T); at padding the last one."""
        scores, inside = self._scores(tokens)
        transition = self.transition.log_softmax(1)
        best = self.initial.log_softmax(0) + scores[:, 0]  # (B, K), of paths that end in each tag
        stay = torch.arange(scores.shape[2], device=tokens.device).expand_as(best)
        before = []  # the tag from which the best path comes, of each t (B, K)
        for t in range(1, scores.shape[1]):
            step, origin = (best[:, :, None] + transition).max(1)
            best = torch.where(inside[:, t], step + scores[:, t], best)
            before.append(torch.where(inside[:, t], origin, stay))
        path = [best.argmax(1, keepdim=True)]  # (B, 1)
        for origin in reversed(before):
            path.append(origin.gather(1, path[-1]))
        return torch.cat(path[::-1], 1)
