"""A run that is out of memory says so in a line, and goes on with smaller micro-batches."""

import json

import pytest
import torch
import yaml
from killed import ending

from zoo.training import trainer as trainer_module
from zoo.training.memory import is_out_of_memory

ON_CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: not enough memory")
RAIN = (
    "model=mlp", "model.width=8", "data=rain", "data.samples=200", "data.batch_size=24",
    "trainer.max_steps=12", "trainer.eval_steps=4", "trainer.log_steps=2", "trainer.save_steps=3",
    "trainer.precision=fp32",
)  # fmt: skip


@pytest.mark.parametrize("error", [ON_CPU, MemoryError(), torch.OutOfMemoryError("CUDA")])
def test_it_is_recognised(error):
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("shapes"))


@pytest.mark.parametrize("error", [ON_CPU, torch.OutOfMemoryError("CUDA out of memory")])
def test_a_run_goes_on_with_smaller_micro_batches(error, train, monkeypatch):
    whole = ending(train(*RAIN).path)
    original, steps = trainer_module.accumulate_gradients, []

    def limited(model, task, micro_batches, *parts):
        steps.append(len(micro_batches))
        if len(steps) > 5 and len(next(iter(micro_batches[0].values()))) > 12:
            raise error
        return original(model, task, micro_batches, *parts)

    monkeypatch.setattr(trainer_module, "accumulate_gradients", limited)
    stopped = train(*RAIN)
    assert stopped.code == 1 and stopped.err.count("\n") == 1
    assert "out of memory after step 5" in stopped.err
    resume = f"resume={stopped.path} trainer.accumulate=2"
    assert resume in stopped.err
    assert json.loads((stopped.path / "result.json").read_text())["status"] == "failed"
    done = train(*resume.split())
    assert done.code == 0 and "warning: trainer.accumulate was 1, is 2" in done.out
    assert yaml.safe_load((stopped.path / "config.yaml").read_text())["trainer"]["accumulate"] == 2
    end = ending(stopped.path)
    for name, tensor in end["last"]["model"].items():
        torch.testing.assert_close(tensor, whole["last"]["model"][name])
    steps.clear()
    again = train(f"resume={stopped.path}", "trainer.max_steps=14")  # the choice is kept
    assert again.code == 0 and set(steps) == {2} and "accumulate was" not in again.out
