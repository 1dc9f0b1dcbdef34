"""The trainer: one loop, each part a method.

Read `fit` first. New models, datasets and tasks change nothing here; new behaviour adds a line.
"""

import contextlib
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from zoo.errors import TrainingFailed
from zoo.optim.learning_rate import LearningRate
from zoo.optim.state import load_optimizer, optimizer_tensors
from zoo.runs.directory import RunDirectory
from zoo.tasks.base import Batch, Task
from zoo.training.baseline import Yardstick
from zoo.training.budget import Best, Budget, due
from zoo.training.checkpoint import Checkpoint, Checkpointer, Tensors, load_model, trainable_tensors
from zoo.training.config import TrainerConfig
from zoo.training.console import Console
from zoo.training.ema import EMA
from zoo.training.evaluate import PREVIEW_SAMPLES, Interrupted, evaluate, means, preview
from zoo.training.guard import FiniteGuard
from zoo.training.loader import Loader
from zoo.training.logger import Logger
from zoo.training.precision import Precision, clip_gradients
from zoo.training.requests import OUT_OF_TIME, Clock, Request, Requests
from zoo.training.runtime import Runtime, environment, rng_state, set_rng_state
from zoo.training.signals import StopSignals
from zoo.training.state import TrainState, check_base, state_must_fit
from zoo.training.step import RunningMetrics, accumulate_gradients, wrapped

PREVIEW_SECONDS = 30  # between previews during training; one is always drawn at the end


@dataclass
class Trainer:
    """Everything that a run consists of, built by zoo.build."""

    model: nn.Module
    task: Task
    loader: Loader
    optimizer: Any
    schedule: Any
    config: TrainerConfig
    budget: Budget
    runtime: Runtime
    precision: Precision
    console: Console
    run: RunDirectory
    data_sha256: str
    base: str | None = None  # identity of the weights that an adapter belongs to
    watched: Any = contextlib.nullcontext  # entered around each update of the weights

    def __post_init__(self) -> None:
        self.step, self.grad_norm, self.best, self.evaluated = 0, 0.0, Best(), 0  # last: of val
        self.ended: str | None = None  # why training stopped before its budget
        self.request: int = Request.NONE  # the request that all ranks follow at the end of the step
        self.ema = EMA(self.model, self.config.ema) if self.config.ema else None
        self.rate = LearningRate(self.optimizer, self.schedule)
        self.names = {id(p): name for name, p in self.model.named_parameters()}
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.running, self.clock, self.signals = RunningMetrics(), Clock(), StopSignals()
        self.requests = Requests(self.config, self.runtime, self.clock, self.signals)
        self.guard = FiniteGuard(self.runtime, self.run.path, self.console.warn)
        self.checkpoints = Checkpointer(self.run.checkpoints)
        self.wrapped_model = wrapped(self.model, self.runtime, self.config.compile)
        self.yardstick = Yardstick(self.task, self.loader, self.runtime)
        self.logger: Logger | None = None
        self._best_weights: dict[str, Tensor] | None = None
        self._saved = (-1, -1)  # the step last saved at, and what was evaluated then
        self._previewed_at, self._reported = 0.0, (0, 0.0)  # the latter: step and second

    # ---------------------------------------------------------------- the loop

    def fit(self) -> None:
        """Train until the budget, the patience or a signal (see `signals`) ends it."""
        self.restore()
        try:
            for micro_batches in self.loader.training(self.step, self.budget.max_steps):
                if self.ended:
                    break
                loss = self.train_step(micro_batches)
                self.step += 1
                self.guard.check(loss, micro_batches, self.step)
                self.console.progress(self.step, self.clock.seconds)
                self.report_when_due()
                self.evaluate_when_due()
                self.save_when_due()
            self.save()
        except TrainingFailed:
            self.save_best()
            raise
        finally:
            self.console.end(self.step)

    def train_step(self, micro_batches: list[Batch]) -> Tensor:
        """Take one optimizer step; return the summed loss of its batch."""
        self.rate.set(self.progress())
        local = self.requests.local()
        parts = (self.precision, self.runtime, self.running, local)
        loss, total = accumulate_gradients(self.wrapped_model, self.task, micro_batches, *parts)
        self.request = self.requests.resolve(local, total)
        reporting = due(self.step + 1, self.budget.log_steps)
        if self.config.clip or reporting or self.config.histograms:
            self.precision.unscale(self.optimizer)
            norm = clip_gradients(self.parameters, self.config.clip)
            self.grad_norm = float(norm) if reporting else self.grad_norm
        with self.watched():
            self.precision.step(self.optimizer)
        for parameter in self.parameters:
            parameter.grad = None
        if self.ema:
            self.ema.update(self.step + 1)
        return loss

    def progress(self) -> float:
        """Fraction of the budget used in the middle of the next step, by steps or by the clock."""
        fraction = (self.step + 0.5) / self.budget.max_steps
        if limit := self.config.max_minutes:  # by rank 0's clock, or weights would drift apart
            fraction = max(fraction, self.runtime.first(self.clock.seconds) / (60 * limit))
        return fraction

    def report_when_due(self) -> None:
        """Report the mean training loss and metrics since the last report."""
        if not due(self.step, self.budget.log_steps):
            return
        sums = self.runtime.gather(self.running.take())
        if not sum(float(rank["count"]) for rank in sums):
            return  # nothing was predicted, so there is no loss
        metrics = self.yardstick.summarize("train", means(sums))
        metrics |= {"lr": self.rate.now, "grad_norm": self.grad_norm}
        steps, seconds = self.step - self._reported[0], self.clock.seconds - self._reported[1]
        self._reported = (self.step, self.clock.seconds)
        if self.logger:
            self.logger.metrics(self.step, "train", metrics)
            speed = {"samples_per_second": steps * self.loader.batch_size / seconds}
            speed["peak_memory_mb"] = self.runtime.peak_bytes() / 1e6
            self.logger.clock(self.step, speed)
        self.console.trained(self.step, metrics, self.clock.seconds)

    def evaluate_when_due(self) -> None:
        """Validate at the interval and at the end; update the best weights and the patience."""
        if self.signalled:
            self.ended = f"signal {self.request}"
            return  # the checkpoint will say that this step is yet to be evaluated
        last = self.step == self.budget.max_steps
        if self.request == Request.OUT_OF_TIME:
            self.ended, last = OUT_OF_TIME, True
        if not (last or due(self.step, self.budget.eval_steps)):
            return
        try:
            totals, metrics = self.evaluate("val")
        except Interrupted:
            self.request = self.signals.received or Request.NONE
            self.ended = f"signal {self.request}"
            return  # as above
        self.evaluated = self.step
        if self.logger:
            self.logger.metrics(self.step, "val", metrics)
        self.update_best(metrics)
        self.console.evaluated(self.step, metrics, self.best.step == self.step)
        self.preview(totals, film=True)
        if self.clock.seconds - self._previewed_at > PREVIEW_SECONDS:
            self.preview(totals)

    def update_best(self, metrics: dict[str, float]) -> None:
        """Keep the best weights; tell the schedule; stop when patience ends."""
        value = self.guard.monitored(self.task.monitor, metrics, self.step)
        self.schedule.observe(value)
        if self.best.beaten_by([value, -metrics["loss"]]):
            self.best = Best(self.step, [value, -metrics["loss"]], metrics)
            if self.logger:
                self.logger.best(self.step, metrics)
            weights = self.ema.state() if self.ema else trainable_tensors(self.model)
            self._best_weights = {name: tensor.clone() for name, tensor in weights.items()}
            return
        self.best.waited += 1
        self.ended = self.ended or self.best.out_of_patience(self.config.patience)

    def save_when_due(self) -> None:
        """Save the checkpoint to resume from, at its interval in steps or minutes."""
        if self.request == Request.SAVE or due(self.step, self.budget.save_steps):
            self.save()

    # ------------------------------------------------------------- checkpoints

    def save(self) -> None:
        """Save everything that decides the next step, unless that is done."""
        if self._saved == (self.step, self.evaluated):
            return
        self.guard.finish()
        ranks = self.runtime.gather(self.rank_state())
        if self.runtime.main:
            self.save_best()
            state = self.state(ranks)
            self.checkpoints.save("last", self.step, state.tensors(), state.values())
        self._saved = (self.step, self.evaluated)
        self.requests.saved_at = self.clock.seconds

    def save_best(self) -> None:
        """Write the best weights, kept in memory since their evaluation, to disk."""
        if self._best_weights is not None and self.runtime.main:
            parts = ({"model": self._best_weights}, {"base": self.base})
            self.checkpoints.save("best", self.best.step, *parts)
            self._best_weights = None

    def state(self, ranks: list[Tensors]) -> TrainState:
        """The state of every part on rank 0, and what differs on each rank (`rank_state`)."""
        assert self.logger is not None
        return TrainState(
            model=trainable_tensors(self.model),
            optimizer=optimizer_tensors(self.optimizer, self.names),
            ranks={f"{r}.{name}": t for r, rank in enumerate(ranks) for name, t in rank.items()},
            ema=self.ema.state() if self.ema else None,
            step=self.step,
            evaluated=self.evaluated,
            best=self.best,
            schedule=self.schedule.state(),
            precision=self.precision.state(),
            metrics_bytes=self.logger.offset(),
            seconds=self.clock.seconds,
            grad_norm=self.grad_norm,
            data_sha256=self.data_sha256,
            base=self.base,
            environment=environment(self.runtime),
        )

    def rank_state(self) -> Tensors:
        """The state that differs between ranks: random numbers, sums since the last report."""
        generators = {f"rng.{n}": t for n, t in rng_state(self.runtime.device).items()}
        return generators | {f"window.{n}": t for n, t in self.running.state().items()}

    def load(self, saved: Checkpoint) -> None:
        """Set every part to its state in the checkpoint."""
        state, rank, device = TrainState.read(saved), self.runtime.rank, self.runtime.device
        for difference in state.differences(self.data_sha256, environment(self.runtime)):
            self.console.warn(difference)
        check_base(self.base, saved)
        load_model(self.model, state.model, saved.path)
        load_optimizer(self.optimizer, self.names, state.optimizer)
        if self.ema:
            assert state.ema is not None
            self.ema.load(state.ema)
        if rng := state.of_rank(rank, "rng"):
            set_rng_state(device, rng)
        self.running.load(state.of_rank(rank, "window"), device)
        self.schedule.load(state.schedule)
        self.precision.load(state.precision)
        self.step, self.evaluated = state.step, state.evaluated
        self.best, self.grad_norm = state.best, state.grad_norm

    def restore(self) -> None:
        """Resume from the run's last checkpoint, if it has one."""
        saved = self.checkpoints.load("last", self.console.warn)
        if saved is not None:
            with state_must_fit(saved):
                self.load(saved)
            self._saved = (self.step, self.evaluated)
        if self.runtime.main:
            self.checkpoints.discard_after(self.step)
            offset = saved.state["metrics_bytes"] if saved else 0
            self.logger = Logger(self.run, self.step, offset, self.console.warn)
            if self.best.step == self.step:  # dropped with all points of this step
                self.logger.best(self.step, self.best.metrics)
        self.clock.restart(saved.state["seconds"] if saved else 0.0)
        self.requests.saved_at = self._previewed_at = self.clock.seconds
        self._reported = now = (self.step, self.clock.seconds)
        self.console.begin(*now, self.budget.max_steps, self.task.monitor, self.config.max_minutes)
        if self.step and self.evaluated != self.step:
            self.evaluate_when_due()
        over = self.ended or self.best.out_of_patience(self.config.patience)
        self.ended = self.runtime.first(over or self.requests.out_of_time())  # by rank 0's clock

    # ------------------------------------------------------------------- parts

    def evaluate(self, split: str) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Means and named metrics of one split, with the averaged weights where EMA is on. A loss
        that is not finite gives a warning; in validation it raises TrainingFailed."""
        parts = (self.model, self.task, self.yardstick.batches(split), self.precision, self.runtime)
        report = self.guard.evaluation(split, self.step)
        with self.ema.swapped() if self.ema else contextlib.nullcontext():
            totals = evaluate(*parts, self.signals.any, split == "test", split, report)
        return totals, self.yardstick.summarize(split, totals)

    def preview(self, totals: dict[str, Tensor], split: str = "val", film: bool = False) -> None:
        """Draw the split of `totals`, or a frame of its film, for which EMA's weights are taken."""
        if self.logger is None or (film and not getattr(self.task, "films", False)):
            return
        self.logger.step = self.step
        parts = (self.task, next(self.loader.evaluation(split, PREVIEW_SAMPLES)), totals)
        with self.ema.swapped() if self.ema and film else contextlib.nullcontext():
            preview(self.model, *parts, self.logger, self.runtime, self.console, film)
        self._previewed_at = self._previewed_at if film else self.clock.seconds

    @property
    def signalled(self) -> int | None:
        """The number of the signal that ended training, if one did."""
        return self.request if Request.NONE < self.request < Request.SAVE else None
