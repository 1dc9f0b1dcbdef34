"""The trainer's typed settings. Kept free of torch, so that a typo is reported at once."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from zoo.errors import UserError

PrecisionName = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class TrainerConfig:
    """The settings `trainer.*`. Steps are optimizer steps; they win over epochs.

    Attributes:
        max_steps, max_epochs, max_minutes: The budget; whichever ends first.
        accumulate: Micro-batches that a batch is cut into. Saves memory; the gradient is the same.
        clip: Largest gradient norm, or null.
        ema: Decay of the weights' exponential moving average, or null. Evaluation then uses it.
        patience: Evaluations without improvement before training stops, or null.
        eval_steps, eval_epochs: How often to evaluate on the validation split.
        log_steps: How often to write the training loss, or null for about 200 times a run.
        save_steps, save_minutes: How often to write the checkpoint that `resume=` reads.
        precision: fp32, bf16, fp16 (with loss scaling), or auto: by processor and model.
        device: auto, cpu, cuda, cuda:1, mps, xpu.
        devices: Processes on this machine, a device each.
        compile: Whether to compile the model.
        deterministic: Whether to demand bit-identical kernels, slower on GPUs.
        overfit: Train and evaluate on the first batch alone, which must be memorised: a check.
        max_samples: Use at most so many samples of each split, spread over it: to try a recipe.
        histograms: Whether TensorBoard gets histograms of weights and gradients at validations.
        graph: Whether TensorBoard gets the model's graph.
    """

    max_steps: int | None = None
    max_epochs: float | None = 30
    max_minutes: float | None = None
    accumulate: int = 1
    clip: float | None = None
    ema: float | None = None
    patience: int | None = None
    eval_steps: int | None = None
    eval_epochs: float = 1
    log_steps: int | None = None
    save_steps: int | None = None
    save_minutes: float | None = 1
    precision: PrecisionName = "auto"
    device: str = "auto"
    devices: int = 1
    compile: bool = False
    deterministic: bool = False
    overfit: bool = False
    max_samples: int | None = None
    histograms: bool = False
    graph: bool = False

    def __post_init__(self) -> None:
        if self.max_steps is None and self.max_epochs is None:
            raise UserError(
                "trainer.max_steps and trainer.max_epochs are both null: give one; "
                "trainer.max_minutes may cut it short"
            )
        for name in ("max_steps", "max_epochs", "max_minutes", "accumulate", "clip", "patience"):
            self._positive(name)
        for name in ("eval_steps", "eval_epochs", "log_steps", "save_steps", "save_minutes"):
            self._positive(name)
        self._positive("devices")
        self._positive("max_samples")
        for name in ("max_epochs", "eval_epochs"):  # they become whole numbers of steps
            if getattr(self, name) == math.inf:
                raise UserError(
                    f"trainer.{name}: got inf, expected a finite number; take a large one"
                )
        if self.ema is not None and not 0 < self.ema < 1:
            raise UserError(
                f"trainer.ema: got {self.ema}, expected a decay between 0 and 1, or null"
            )

    def _positive(self, name: str) -> None:
        value = getattr(self, name)
        if value is not None and not value > 0:
            raise UserError(f"trainer.{name}: got {value}, expected a number above 0")

    def check_typed(self, keys: Collection[str]) -> None:
        """Check that epochs which were typed are not overruled by steps which were not.

        Args:
            keys: The settings on the command line.

        Raises:
            UserError: They are, and would have no effect.
        """
        for name in ("max", "eval"):
            epochs, steps = f"trainer.{name}_epochs", f"trainer.{name}_steps"
            value = getattr(self, f"{name}_steps")
            is_given = getattr(self, f"{name}_epochs") is not None and epochs in keys
            if is_given and steps not in keys and value is not None:
                raise UserError(
                    f"{epochs}= has no effect, as the run has {steps}={value}, which counts where "
                    f"both are given; add {steps}=null"
                )
