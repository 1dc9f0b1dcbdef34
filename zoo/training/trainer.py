"""The trainer: one visible loop of named parts.

Read `fit` first. A new model, dataset, task, optimizer or schedule changes nothing here; a new
kind of behaviour (something else to do between steps) is one more line in the loop.
"""

import contextlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import TrainingFailed
from zoo.optim.optimizers import LearningRate
from zoo.runs.directory import RunDirectory
from zoo.tasks.base import Batch, Task
from zoo.training.checkpoint import Checkpointer, live_state, model_tensors
from zoo.training.config import TrainerConfig
from zoo.training.console import Console
from zoo.training.ema import EMA
from zoo.training.evaluate import Interrupted, evaluate, means, preview
from zoo.training.guard import FiniteGuard
from zoo.training.loader import Loader
from zoo.training.logger import Logger
from zoo.training.plan import Best, Plan, monitored
from zoo.training.precision import Precision, clip_gradients
from zoo.training.runtime import Clock, Runtime
from zoo.training.signals import StopSignals
from zoo.training.state import apply, capture, rank_tensors
from zoo.training.step import Window, accumulate_gradients

PREVIEW_SAMPLES = 1000
PREVIEW_SECONDS = 30  # between previews during training; one is always drawn at the end
SAVE_NOW, TIME_IS_UP = 500, 1000  # what a rank may wish for, beside a signal's number
TIME_WORDS = "trainer.max_minutes are over"


@dataclass
class Trainer:
    """Everything that a run consists of, built by zoo.build."""

    model: nn.Module
    task: Task
    loader: Loader
    optimizer: Any
    schedule: Any
    config: TrainerConfig
    plan: Plan
    runtime: Runtime
    precision: Precision
    console: Console
    run: RunDirectory
    data_sha256: str
    base: str | None = None  # identity of the weights that an adapter belongs to

    def __post_init__(self) -> None:
        self.step = 0
        self.best = Best()
        self.evaluated = 0  # the step last evaluated at
        self.ended: str | None = None  # why training stopped before its budget
        self.stop = 0
        self.grad_norm = 0.0
        self.ema = EMA(self.model, self.config.ema) if self.config.ema else None
        self.rate = LearningRate(self.optimizer, self.schedule)
        self.names = {id(p): name for name, p in self.model.named_parameters()}
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.window, self.clock, self.signals = Window(), Clock(), StopSignals()
        self.guard = FiniteGuard(self.runtime, self.run.path)
        self.checkpoints = Checkpointer(self.run.checkpoints)
        self.live = self._wrapped()
        self.logger: Logger | None = None
        self._best_weights: dict[str, Tensor] | None = None
        self._wishes: Tensor | None = None
        self._saved = (-1, -1)  # the step last saved at, and what was evaluated then
        self._saved_at = self._previewed_at = 0.0
        self._reported = (0, 0.0)  # step and second of the last report

    # ---------------------------------------------------------------- the loop

    def fit(self) -> None:
        """Train until the budget, the patience or a signal (see `signals`) ends it."""
        self.restore()
        try:
            for micro_batches in self.loader.training(self.step, self.plan.max_steps):
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
        """One optimizer step; the mean loss of its batch."""
        self.rate.set(self.progress())
        wish = self._wish()
        loss, wishes = accumulate_gradients(
            self.live, self.task, micro_batches, self.precision, self.runtime, self.window, wish
        )
        self.stop = self._agree(wish, wishes)
        reporting = self._due(self.step + 1, self.plan.log_steps)
        if self.config.clip or reporting:
            self.precision.unscale(self.optimizer)
            norm = clip_gradients(self.parameters, self.config.clip)
            self.grad_norm = float(norm) if reporting else self.grad_norm
        self.precision.step(self.optimizer)
        for parameter in self.parameters:
            parameter.grad = None
        if self.ema:
            self.ema.update(self.step + 1)
        return loss

    def progress(self) -> float:
        """Share of the budget used, in the middle of the coming step, by steps or by the clock."""
        share = (self.step + 0.5) / self.plan.max_steps
        if self.config.max_minutes:
            share = max(share, self.clock.seconds / (60 * self.config.max_minutes))
        return share

    def report_when_due(self) -> None:
        """The mean training loss and metrics since the last report."""
        if not self._due(self.step, self.plan.log_steps):
            return
        parts = self.runtime.gather(self.window.take())
        figures = self.task.summarize(means(parts))
        figures |= {"lr": self.rate.now, "grad_norm": self.grad_norm}
        steps, seconds = self.step - self._reported[0], self.clock.seconds - self._reported[1]
        self._reported = (self.step, self.clock.seconds)
        if self.logger:
            self.logger.metrics(self.step, "train", figures)
            speed = {"samples_per_second": steps * self.loader.batch_size / seconds}
            speed["peak_memory_mb"] = self.runtime.peak_bytes() / 1e6
            self.logger.clock(self.step, speed)
        self.console.trained(self.step, figures, self.clock.seconds)

    def evaluate_when_due(self) -> None:
        """Validation: at its cadence and at the end; notes the best and an end of patience."""
        if self.signalled:
            self.ended = f"signal {self.stop}"
            return  # the checkpoint will say that this step is yet to be evaluated
        last = self.step == self.plan.max_steps
        if self.stop == TIME_IS_UP:
            self.ended, last = TIME_WORDS, True
        if not (last or self._due(self.step, self.plan.eval_steps)):
            return
        try:
            totals, figures = self.evaluate("val")
        except Interrupted:
            self.stop = self.signals.received or 0
            self.ended = f"signal {self.stop}"
            return  # as above
        self.evaluated = self.step
        if self.logger:
            self.logger.metrics(self.step, "val", figures)
        self.judge(figures)
        self.console.evaluated(self.step, figures, self.best.step == self.step)
        if self.clock.seconds - self._previewed_at > PREVIEW_SECONDS:
            self.preview(totals)

    def judge(self, figures: dict[str, float]) -> None:
        """Keep the best weights; tell the schedule; stop when patience ends."""
        value = monitored(self.task.monitor, figures)
        self.schedule.observe(value)
        if [value, -figures["loss"]] > self.best.value:
            self.best = Best(self.step, [value, -figures["loss"]], figures)
            if self.logger:
                self.logger.best(self.step, figures)
            weights = self.ema.average if self.ema else live_state(self.model)
            self._best_weights = {n: t.clone() for n, t in model_tensors(weights).items()}
            return
        self.best.waited += 1
        self.ended = self.ended or self._out_of_patience()

    def save_when_due(self) -> None:
        """The checkpoint to resume from, at its cadence in steps or minutes."""
        if self.stop == SAVE_NOW or self._due(self.step, self.plan.save_steps):
            self.save()

    # ------------------------------------------------------------- checkpoints

    def save(self) -> None:
        """Everything that decides the next step, unless it was saved already."""
        if self._saved == (self.step, self.evaluated):
            return
        self.guard.finish()
        ranks = self.runtime.gather(rank_tensors(self))
        if self.runtime.main:
            self.save_best()
            self.checkpoints.save("last", self.step, *capture(self, ranks))
        self._saved = (self.step, self.evaluated)
        self._saved_at = self.clock.seconds

    def save_best(self) -> None:
        """The best weights, kept in memory since their evaluation, to the disk."""
        if self._best_weights is not None and self.runtime.main:
            self.checkpoints.save(
                "best", self.best.step, {"model": self._best_weights}, {"base": self.base}
            )
            self._best_weights = None

    def restore(self) -> None:
        """Go on from the run's last checkpoint, if it has one."""
        saved = self.checkpoints.load("last", self.console.warn)
        if saved is not None:
            apply(self, saved)
            self._saved = (self.step, self.evaluated)
        if self.runtime.main:
            self.checkpoints.discard_after(self.step)
            self.logger = Logger(self.run, self.step, saved.state["metrics_bytes"] if saved else 0)
            if self.best.step == self.step:  # dropped with all points of this step
                self.logger.best(self.step, self.best.metrics)
        self.clock.restart(saved.state["seconds"] if saved else 0.0)
        self._saved_at = self._previewed_at = self.clock.seconds
        self._reported = (self.step, self.clock.seconds)
        self.console.begin(self.step, self.plan.max_steps)
        if self.step and self.evaluated != self.step:
            self.evaluate_when_due()
        over = self.ended or self._out_of_patience() or self._out_of_time()
        self.ended = self.runtime.first(over)  # clocks differ by a hair

    # ------------------------------------------------------------------- parts

    def evaluate(self, split: str) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Means and named figures of one split, by the averaged weights where EMA is on."""
        batches = self.loader.evaluation(split)
        arguments = (self.model, self.task, batches, self.precision, self.runtime)
        with self.ema.swapped() if self.ema else contextlib.nullcontext():
            totals = evaluate(*arguments, self._interrupted, final=split == "test")
        return totals, self.task.summarize(totals)

    def preview(self, totals: dict[str, Tensor], split: str = "val") -> None:
        """Pictures of the split that `totals` are of, by the weights now in the model."""
        if self.logger is None:
            return
        self.logger.step = self.step
        batch = next(self.loader.evaluation(split, PREVIEW_SAMPLES))
        preview(self.model, self.task, batch, totals, self.logger, self.runtime)
        self._previewed_at = self.clock.seconds

    def _wrapped(self) -> nn.Module:
        model = torch.compile(self.model) if self.config.compile else self.model
        if self.runtime.ranks == 1:
            return model
        if self.runtime.device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
            return nn.parallel.DistributedDataParallel(model, [self.runtime.device])
        return nn.parallel.DistributedDataParallel(model)

    def _wish(self) -> int:
        """What this rank asks of all at the end of the step; the clock is rank 0's."""
        if self.signals.received is not None:
            return self.signals.received
        if not self.runtime.main:
            return 0
        if self._out_of_time():
            return TIME_IS_UP
        every = self.config.save_minutes
        return SAVE_NOW if every and self.clock.seconds - self._saved_at > 60 * every else 0

    def _agree(self, wish: int, wishes: Tensor | None) -> int:
        """The strongest wish of all ranks. They read the sum of a step at the next one, when it
        has long arrived, so that no GPU is waited for."""
        if wishes is None:
            return wish
        before, self._wishes = self._wishes, wishes
        return max(self.runtime.gather(wish)) if before is not None and before > 0 else 0

    def _out_of_time(self) -> str | None:
        limit = self.config.max_minutes
        return TIME_WORDS if limit is not None and self.clock.seconds > 60 * limit else None

    def _out_of_patience(self) -> str | None:
        over = self.config.patience is not None and self.best.waited >= self.config.patience
        return f"no better validation in {self.best.waited} evaluations" if over else None

    def _interrupted(self) -> bool:
        return self.signals.received is not None

    @property
    def signalled(self) -> int | None:
        """The number of the signal that ended training, if one did."""
        return self.stop if 0 < self.stop < SAVE_NOW else None

    @staticmethod
    def _due(step: int, every: int | None) -> bool:
        return every is not None and step % every == 0
