"""Mixture of experts: feed-forward layers of which each token takes a few, chosen by a router.

Shazeer et al., 2017, https://arxiv.org/abs/1701.06538; the router that takes the K best of a
softmax, with an auxiliary loss: Fedus et al., 2022, arXiv:2101.03961 (Switch), Jiang et al., 2024,
arXiv:2401.04088 (Mixtral). Shared experts: Dai et al., 2024, arXiv:2401.06066 (DeepSeekMoE). Groups
of experts, and balance by a bias instead of a loss: DeepSeek-AI, 2024, arXiv:2412.19437, section
2.1.2 (DeepSeek-V3), and Wang et al., 2024, arXiv:2408.15664.
A token is never dropped: an expert computes as many as choose it.
Differs from Switch: the auxiliary loss is that of each sequence, as in DeepSeek-V3, so that it adds
up over sequences, however a batch is cut.
Shapes: B batch, T tokens, D width, E experts, K of them active, I inner width, N = B T, M = N K.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.kernels import count_choices, mixed_experts, no_autocast
from zoo.layers.feed_forward import FeedForward
from zoo.layers.recording import RecordsLoad

ScoreName = Literal["softmax", "sigmoid"]
BalanceName = Literal["bias", "loss", "none"]
RATES = {"bias": 0.001, "loss": 0.01, "none": 0.0}
TINY = 1e-20  # for a sum of weights that may be zero


class GroupedLinear(nn.Module):
    """The weights of E linear layers without biases, each for rows of its own (`mixed_experts`).

    Attributes:
        weight: Of one layer below that of another, (E O, I).
        stacked: E.
    """

    def __init__(self, number: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.stacked, self.in_features, self.out_features = number, in_features, out_features
        self.weight = nn.Parameter(torch.empty(number * out_features, in_features))
        nn.init.normal_(self.weight, std=in_features**-0.5)

    @property
    def weights(self) -> Tensor:
        """Of each layer, (E, O, I)."""
        return self.weight.unflatten(0, (self.stacked, self.out_features))

    def extra_repr(self) -> str:
        """For `print(model)`."""
        return f"{self.stacked} x ({self.in_features} to {self.out_features})"


class Mixture(RecordsLoad):
    """A router and experts, each a SwiGLU layer; in place of one `FeedForward`.

    Args:
        width: D.
        experts: E.
        active: K, how many of them a token takes.
        inner: I; None for that of a `FeedForward` over K + `shared`: as many active parameters.
        shared: How many experts every token takes besides; they are one layer of their width.
        score: How the router's logits become weights: a softmax over the experts, or a sigmoid.
        normalise: Whether the weights of the active ones are divided by their sum.
        scale: Factor of the weights of the active ones.
        groups: Into how many groups experts are divided; a token chooses from the best ones.
        active_groups: How many groups that is.
        balance: What balances the load of experts: `bias` (added to the scores when the experts are
            chosen, not to their weights; after each step it is raised for those that had less than
            their share, and lowered for the others), `loss` (E sum_e f_e p_e over a sequence, f_e
            the share of expert e among the choices and p_e its mean score), or `none`.
        balance_rate: By how much the bias moves; the coefficient of the loss; None for 0.001, 0.01.
    """

    bias: Tensor
    load: Tensor

    def __init__(
        self,
        width: int,
        experts: int = 8,
        active: int = 2,
        inner: int | None = None,
        shared: int = 0,
        score: ScoreName = "softmax",
        normalise: bool = True,
        scale: float = 1.0,
        groups: int = 1,
        active_groups: int = 1,
        balance: BalanceName = "bias",
        balance_rate: float | None = None,
    ) -> None:
        super().__init__()
        inner = inner or -(-8 * width // (24 * max(1, active + shared))) * 8
        _check(experts, active, shared, groups, active_groups, inner)
        self.experts, self.active, self.groups = experts, active, groups
        self.active_groups, self.score, self.normalise = active_groups, score, normalise
        self.scale, self.balance = scale, balance
        self.balance_rate = RATES[balance] if balance_rate is None else balance_rate
        if not (0 < scale < math.inf and 0 <= self.balance_rate < math.inf):
            raise ValueError(
                f"mixture: scale={scale} balance_rate={self.balance_rate}: expected numbers, the "
                f"first above 0, the other not below"
            )
        exact = torch.promote_types(torch.get_default_dtype(), torch.float32)  # as in `_score`
        self.router = nn.Linear(width, experts, bias=False, dtype=exact)
        self.up = GroupedLinear(experts, width, 2 * inner)
        self.down = GroupedLinear(experts, inner, width)
        self.shared = FeedForward(width, "swiglu", shared * inner, bias=False) if shared else None
        self.auxiliary: Tensor | None = None  # of the last call in training
        if balance == "bias":
            self.register_buffer("bias", torch.zeros(experts, dtype=exact))
            counts = torch.zeros(experts, dtype=torch.int64)  # since the last step
            self.register_buffer("load", counts, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        scores = self._score(x)  # (B, T, E)
        chosen = self.choose(scores)  # (B, T, K)
        weights = scores.gather(-1, chosen)
        if self.normalise:
            weights = weights / (weights.sum(-1, keepdim=True) + TINY)
        weights = (weights * self.scale).to(x.dtype)
        self._observe(scores, chosen)
        rows, chosen, weights = (tensor.flatten(0, 1) for tensor in (x, chosen, weights))
        y = mixed_experts(rows, chosen, weights, self.up.weights, self.down.weights).view(x.shape)
        return y if self.shared is None else y + self.shared(x)

    def _score(self, x: Tensor) -> Tensor:
        """Scores of the experts, (B, T, E), in float32 at least: small differences decide."""
        with no_autocast(x):
            logits = self.router(x.to(self.router.weight.dtype))
            logits = logits if logits.dtype == torch.float64 else logits.float()
            return logits.softmax(-1) if self.score == "softmax" else logits.sigmoid()

    def choose(self, scores: Tensor) -> Tensor:
        """The experts of each token, int64 (..., K), by scores (..., E)."""
        scores = scores.detach()
        if self.balance == "bias":
            scores = scores + self.bias
        if self.groups > self.active_groups:
            grouped = scores.unflatten(-1, (self.groups, -1))
            best = grouped.topk(min(2, grouped.shape[-1]), -1).values.sum(-1)  # (..., groups)
            taken = torch.zeros_like(best, dtype=torch.bool)
            taken = taken.scatter(-1, best.topk(self.active_groups, -1).indices, True)
            scores = grouped.masked_fill(~taken[..., None], float("-inf")).flatten(-2)
        return scores.topk(self.active, -1).indices

    def _observe(self, scores: Tensor, chosen: Tensor) -> None:
        """Count how often each expert was chosen, padding left out (`count_only`): for the balance
        and for records."""
        if self.record is not None:
            self.record.append(count_choices(chosen, self.experts, self.counted))
        if not self.training:
            return
        if self.balance == "bias":
            self.load += count_choices(chosen, self.experts, self.counted)
        elif self.balance == "loss":
            shares = (
                self._mean(torch.zeros_like(scores).scatter(-1, chosen, 1.0)) / self.active
            )  # f
            means = self._mean(scores / (scores.sum(-1, keepdim=True) + TINY))  # p, (B, E)
            losses = self.experts * (shares * means).sum(-1)  # (B,)
            if self.counted is None:
                self.auxiliary = self.balance_rate * scores.shape[1] * losses.sum()
            else:
                sizes = self.counted.sum(1) if self.predictions is None else self.predictions
                self.auxiliary = self.balance_rate * (sizes * losses).sum()

    def _mean(self, x: Tensor) -> Tensor:
        """Over the tokens that count: (B, T, E) to (B, E)."""
        if self.counted is None:
            return x.mean(1)
        counted = self.counted[..., None]
        return (x * counted).sum(1) / counted.sum(1).clamp(min=1)

    @torch.no_grad()
    def rebalance(self, load: Tensor) -> None:
        """Move the bias after a step.

        Args:
            load: How often each expert was chosen in the step's batch, int64 (E,), on all ranks.
        """
        if self.router.weight.requires_grad:  # else it belongs to weights that are kept
            error = load.sum() - self.experts * load  # whole numbers: exact
            self.bias += self.balance_rate * error.sign()


def add_auxiliary(loss: Tensor, model: nn.Module) -> Tensor:
    """The loss of a call with the gradient of its mixtures' auxiliary losses; its value, which is
    reported, stays the plain one. Both are sums, so that a batch may be cut."""
    for layer in model.modules():
        if isinstance(layer, Mixture) and layer.auxiliary is not None:
            loss = loss + (layer.auxiliary - layer.auxiliary.detach())
            layer.auxiliary = None
    return loss


def refuse_auxiliary(model: nn.Module) -> None:
    """To be called in training where auxiliary losses would have no effect.

    Raises:
        ValueError: The model has some.
    """
    for layer in model.modules():
        if isinstance(layer, Mixture) and layer.balance == "loss":
            raise ValueError(
                "model.mixture.balance=loss is for task=causal_lm, which has its loss from the "
                "model; take balance=bias or none"
            )


def _check(
    experts: int, active: int, shared: int, groups: int, active_groups: int, inner: int
) -> None:
    """Check sizes.

    Raises:
        ValueError: Some do not go together.
    """
    if experts < 1 or not 1 <= active <= experts or shared < 0 or inner < 1:
        raise ValueError(
            f"mixture: experts={experts} active={active} shared={shared} inner={inner}: expected "
            f"1 or more experts, 1 to {experts} active ones, 0 or more shared ones"
        )
    if groups < 1 or experts % groups or not 1 <= active_groups <= groups:
        raise ValueError(
            f"mixture: groups={groups} active_groups={active_groups}: expected a divisor of "
            f"experts={experts}, and at most as many active groups"
        )
    if active > active_groups * (experts // groups):
        raise ValueError(
            f"mixture: active={active}: {active_groups} of {groups} groups have "
            f"{active_groups * (experts // groups)} experts"
        )
