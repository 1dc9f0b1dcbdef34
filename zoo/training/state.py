"""What decides the next step, out of a trainer and back into it."""

from typing import TYPE_CHECKING, Any

from zoo.errors import UserError
from zoo.optim.optimizers import load_optimizer, optimizer_tensors
from zoo.training.checkpoint import (
    Checkpoint,
    Tensors,
    live_state,
    load_model,
    model_tensors,
)
from zoo.training.precision import Precision
from zoo.training.runtime import environment, rng_state, set_rng_state

if TYPE_CHECKING:
    from zoo.training.trainer import Trainer

EXACTNESS = ("torch", "device", "processor", "threads", "ranks")


def rank_tensors(trainer: "Trainer") -> Tensors:
    """What differs between ranks: random numbers, and sums since the last report."""
    own = {f"rng.{n}": t for n, t in rng_state(trainer.runtime.device).items()}
    return own | {f"window.{n}": t for n, t in trainer.window.stacked().items()}


def capture(trainer: "Trainer", ranks: list[Tensors]) -> tuple[dict[str, Tensors], dict[str, Any]]:
    """The tensors (by file) and the JSON state of a checkpoint.

    Args:
        trainer: Rank 0's.
        ranks: Each rank's `rank_tensors`.
    """
    assert trainer.logger is not None
    optimizer = optimizer_tensors(trainer.optimizer, trainer.names)
    tensors = {
        "model": model_tensors(live_state(trainer.model)),
        "optimizer": {n: t.cpu().contiguous() for n, t in optimizer.items()},
        "ranks": {f"{r}.{n}": t for r, part in enumerate(ranks) for n, t in part.items()},
    }
    if trainer.ema:
        tensors["ema"] = model_tensors(trainer.ema.average)
    state = {
        "step": trainer.step,
        "evaluated": trainer.evaluated,
        "best": vars(trainer.best),
        "schedule": trainer.schedule.state(),
        "precision": {"name": trainer.precision.name, "scaler": trainer.precision.state()},
        "metrics_bytes": trainer.logger.offset(),
        "seconds": trainer.clock.seconds,
        "grad_norm": trainer.grad_norm,
        "data_sha256": trainer.data_sha256,
        "base": trainer.base,
        "environment": environment(trainer.runtime),
    }
    return tensors, state


def apply(trainer: "Trainer", saved: Checkpoint) -> None:
    """Put a trainer where the checkpoint was taken."""
    state = saved.state
    _compare(trainer, state)
    check_base(trainer.base, saved)
    load_model(trainer.model, saved.tensors["model"], saved.path)
    load_optimizer(trainer.optimizer, trainer.names, saved.tensors["optimizer"])
    if trainer.ema:
        trainer.ema.load(saved.tensors["ema"])
    ranks, rank = saved.tensors["ranks"], trainer.runtime.rank
    if rng := _below(ranks, f"{rank}.rng."):
        set_rng_state(trainer.runtime.device, rng)
    trainer.window.load(_below(ranks, f"{rank}.window."), trainer.runtime.device)
    trainer.schedule.load(state["schedule"])
    trainer.precision = Precision(state["precision"]["name"], trainer.runtime.device)
    trainer.precision.load(state["precision"]["scaler"])
    trainer.step, trainer.evaluated = state["step"], state["evaluated"]
    trainer.best, trainer.grad_norm = type(trainer.best)(**state["best"]), state["grad_norm"]


def check_base(base: str | None, saved: Checkpoint) -> None:
    """An adapter fits the weights that it was trained on, and no others.

    Raises:
        UserError: They are not the same.
    """
    then = saved.state.get("base")
    if then != base:
        raise UserError(
            f"{saved.path} holds an adapter of other weights (SHA-256 {str(then)[:12]}) than those "
            f"of init.from ({str(base)[:12]}); put the first ones back"
        )


def _below(tensors: Tensors, prefix: str) -> Tensors:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _compare(trainer: "Trainer", state: dict[str, Any]) -> None:
    """Warn where the end can no longer be bit-identical to an uninterrupted run's."""
    then, now = state["data_sha256"], trainer.data_sha256
    if then != now:
        trainer.console.warn(
            f"the data changed since the checkpoint (SHA-256 {then[:12]}, now {now[:12]}): "
            f"training goes on, but not as it would have"
        )
    here = environment(trainer.runtime)
    for key in EXACTNESS:
        if (before := state["environment"].get(key)) != here[key]:
            trainer.console.warn(
                f"{key} was {before}, is {here[key]}: the end may differ in the last bits from an "
                f"uninterrupted run's"
            )
