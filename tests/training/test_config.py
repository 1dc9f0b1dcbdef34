"""The trainer's settings: what makes no sense is refused."""

from pathlib import Path

import pytest
import yaml

from zoo.errors import UserError
from zoo.schema import parameters
from zoo.training.config import TrainerConfig

CONFIGS = Path(__file__).parents[2] / "configs"


def test_the_trainer_yaml_lists_every_setting_with_its_default():
    listed = yaml.safe_load((CONFIGS / "trainer" / "default.yaml").read_text())
    assert listed == {name: p.default for name, p in parameters(TrainerConfig).items()}


@pytest.mark.parametrize(
    "given",
    [
        {"max_steps": 0}, {"max_epochs": -1}, {"max_minutes": 0}, {"accumulate": 0}, {"clip": 0},
        {"patience": 0}, {"eval_steps": 0}, {"eval_epochs": 0}, {"log_steps": 0},
        {"save_steps": 0}, {"save_minutes": 0}, {"devices": 0}, {"ema": 0}, {"ema": 1.0},
        {"max_epochs": float("nan")}, {"max_steps": None, "max_epochs": None},
        {"max_epochs": float("inf")}, {"eval_epochs": float("inf")},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(given):
    with pytest.raises(UserError, match=f"trainer.{next(iter(given))}"):
        TrainerConfig(**given)
