"""Teachers: loaded frozen, recorded in the run, required again, in no checkpoint."""

import contextlib
import json
import shutil
import sys
from dataclasses import replace

import pytest
import torch
import yaml
from support import refused
from torch import nn

from zoo.build import build_model
from zoo.commands.evaluate import main as evaluate
from zoo.config.compose import load
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError
from zoo.registry import MODELS, TASKS
from zoo.teacher import Teacher, check_teacher, keep_apart
from zoo.training.checkpoint import Checkpointer
from zoo.weights.files import weights_sha256

PLUGIN = '''
import torch
import torch.nn.functional as F
from torch import nn

from zoo.models.mlp import MLP
from zoo.registry import MODELS, TASKS
from zoo.tasks.base import StepOutput
from zoo.tasks.classification import Classification


@TASKS.register("distillation")
class Distillation(Classification):
    """Cross-entropy to the teacher's distribution (Hinton et al., 2015, arXiv:1503.02531)."""

    def __init__(
        self,
        teacher: nn.Module,
        num_classes: int,
        class_names: list[str],
        class_counts: list[int],
        label_smoothing: float = 0.0,
        class_weights: list[float] | None = None,
    ) -> None:
        super().__init__(num_classes, class_names, class_counts, label_smoothing, class_weights)
        self.teacher = teacher

    def step(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> StepOutput:
        plain = super().step(model, batch)
        with torch.no_grad():
            target = self.teacher(batch["input"]).softmax(1)
        loss = F.cross_entropy(model(batch["input"]), target, reduction="sum")
        return plain._replace(loss_sum=loss)


@MODELS.register("residual")
class Residual(MLP):
    """Learns what a trained network gets wrong."""

    def __init__(
        self,
        teacher: nn.Module,
        input_shape: tuple[int, ...],
        num_outputs: int,
        width: int = 8,
        depth: int = 1,
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(input_shape, num_outputs, width, depth, activation, norm, dropout)
        self.teacher = teacher

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert not self.teacher.training
        assert not any(p.requires_grad for p in self.teacher.parameters())
        return super().forward(x) + self.teacher(x)
'''
TINY = (
    "model=mlp", "model.width=4", "data=rain", "data.samples=200", "schedule=constant",
    "trainer.max_steps=8", "trainer.eval_steps=4", "trainer.save_steps=4", "trainer.precision=fp32",
)  # fmt: skip
DISTIL = ("plugins=[distilling]", "task=classification", "task.name=distillation")


@pytest.fixture(autouse=True)
def plugin(tmp_path, monkeypatch):
    """A module of the user's own, forgotten after the test."""
    (tmp_path / "distilling.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    for registry in (MODELS, TASKS):
        registry.names()
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    yield
    sys.modules.pop("distilling", None)


@pytest.fixture
def teacher(train):
    """A finished run, wider than its students."""
    return train(*TINY, "model.width=16", "name=teacher", "seed=5").path


def read(path, name):
    return json.loads((path / name).read_text())


def last(path):
    return Checkpointer(path / "checkpoints").load("last", print).tensors


def test_a_student_records_its_teacher_and_is_evaluated_with_it(train, teacher, capsys):
    done = train(*TINY, *DISTIL, f"teacher.from={teacher.parent}")
    assert done.code == 0, done.err
    assert f"\nteacher    {teacher}" in done.out
    result = read(done.path, "result.json")
    identity = result["teacher"]
    assert identity == read(done.path, "dataset.json")["teacher"]
    assert identity["run"] == str(teacher.resolve()) and len(identity["sha256"]) == 64
    assert identity["step"] == read(teacher, "result.json")["best"]["step"]
    config = yaml.safe_load((done.path / "config.yaml").read_text())
    assert config["teacher"] == {"from": str(teacher.resolve()), "checkpoint": "best"}

    alone = train(*TINY)
    assert result["parameters"] == read(alone.path, "result.json")["parameters"]
    assert last(done.path)["model"].keys() == last(alone.path)["model"].keys()
    assert result["test"]["loss"] != read(alone.path, "result.json")["test"]["loss"]
    assert "teacher" not in (alone.path / "config.yaml").read_text()

    capsys.readouterr()
    assert evaluate([f"run={done.path}", "plugins=distilling", "json=true"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == result["test"]


def test_a_resumed_student_ends_at_the_same_bits(train, teacher):
    whole = train(*TINY, *DISTIL, f"teacher.from={teacher}")
    begun = train(*TINY, *DISTIL, f"teacher.from={teacher}", "trainer.max_steps=4")
    more = train(f"resume={begun.path}", "trainer.max_steps=8", "plugins=[distilling]")
    assert more.code == 0, more.err
    expected, reached = last(whole.path), last(begun.path)
    assert expected.keys() == reached.keys()
    for file, tensors in expected.items():
        assert all(torch.equal(t, reached[file][name]) for name, t in tensors.items())


def test_a_step_may_be_typed_as_a_number(train, teacher):
    done = train(*TINY, *DISTIL, f"teacher.from={teacher}", "teacher.checkpoint=8")
    assert done.code == 0, done.err
    assert read(done.path, "result.json")["teacher"]["step"] == 8


def test_a_teacher_of_a_plugin_names_it(train, tmp_path):
    plugins = "plugins=[distilling]"
    base = train(*TINY).path
    run = train(*TINY, plugins, "model.name=residual", f"teacher.from={base}").path
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("residual", "unheard"))
    done = train(*TINY, *DISTIL, f"teacher.from={run}")
    assert done.code == 2 and "add plugins=[distilling]" in done.err, done.err


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.head = nn.BatchNorm1d(3), nn.Linear(3, 2)


def teacher_of(model):
    return Teacher(model.eval(), "run", "best-1", 1, weights_sha256(model.state_dict()))


def test_parts_of_a_teacher_are_no_part_of_the_model_that_holds_them():
    """BatchNorm would count with the model's batches once `train` has reached it."""
    teacher = teacher_of(Encoder())
    model = nn.Module()
    model.first = model.second = teacher.model.norm
    model.own = nn.Linear(3, 1)
    keep_apart(model, teacher)
    model.train()
    assert not model.first.training and model.second is model.first is teacher.model.norm
    assert set(model.state_dict()) == {"own.weight", "own.bias"}
    assert teacher.model.norm is dict(teacher.model.named_children())["norm"]  # whole as before


def test_a_container_cannot_hold_a_teacher():
    teacher = teacher_of(Encoder())
    with pytest.raises(UserError, match="holds its teacher in a Sequential; expected an attribute"):
        keep_apart(nn.Sequential(teacher.model, nn.Linear(2, 2)), teacher)


def test_a_model_that_initialises_its_teacher_is_refused():
    @MODELS.register("careless")
    class Careless(nn.Module):
        def __init__(self, teacher: nn.Module):
            super().__init__()
            self.teacher, self.own = teacher, nn.Linear(3, 1)
            for parameter in self.parameters():
                nn.init.zeros_(parameter)

    teacher = teacher_of(Encoder())
    config = replace(load(["model=mlp", "data=rain"]), model={"name": "careless"})
    with pytest.raises(UserError, match="careless changed the weights of its teacher"):
        build_model(config, teacher.facts, None, teacher)


def test_another_teacher_is_refused(train, teacher, capsys):
    begun = train(*TINY, *DISTIL, f"teacher.from={teacher}", "trainer.max_steps=4")
    other = train(*TINY, "model.width=16", "name=teacher", "seed=6").path
    shutil.rmtree(teacher)
    shutil.move(other, teacher)
    done = train(f"resume={begun.path}", "trainer.max_steps=8", "plugins=[distilling]")
    assert done.code == 2 and "holds other weights" in done.err, done.err
    assert evaluate([f"run={begun.path}", "plugins=distilling"]) == 2
    assert "holds other weights" in capsys.readouterr().err


def test_a_model_may_take_the_teacher_and_does_not_train_or_save_it(train, teacher):
    arguments = (*TINY, "plugins=[distilling]", "model.name=residual", f"teacher.from={teacher}")
    done = train(*arguments)
    assert done.code == 0, done.err
    alone = train(*TINY)
    assert last(done.path)["model"].keys() == last(alone.path)["model"].keys()
    result = read(done.path, "result.json")
    assert result["parameters"] == read(alone.path, "result.json")["parameters"]
    assert evaluate([f"run={done.path}", "plugins=distilling"]) == 0
    student = train(*TINY, *DISTIL, f"teacher.from={done.path}")  # whose teacher has one of its own
    assert student.code == 0, student.err


def test_mistakes(train, teacher):
    shutil.move(teacher, teacher := train.outputs.parent / "teacher")
    shutil.rmtree(train.outputs)
    line = refused(train(*TINY, *DISTIL), train.outputs)
    assert "task=distillation needs another trained network: set teacher.from" in line
    line = refused(train(*TINY, f"teacher.from={teacher}"), train.outputs)
    assert "neither model=mlp nor task=classification takes a teacher" in line
    line = refused(train(*TINY, *DISTIL, "teacher.from=nowhere"), train.outputs)
    assert "teacher.from=nowhere: there is no such folder" in line
    odd = (f"teacher.from={teacher}", "teacher.checkpoint=bets")
    line = refused(train(*TINY, *DISTIL, *odd), train.outputs)
    assert "unknown checkpoint 'bets'" in line


@pytest.mark.parametrize(
    ("kind", "text", "length", "message"),
    [
        ("byte", "", 8, "different vocabularies .teacher.from: byte of 256 tokens; the data: char"),
        ("char", "abd", 8, "the data: char of 4 tokens, other ones"),
        ("char", "abc", 9, "data.block_size=9: the network of teacher.from reads 8 tokens at most"),
        ("char", "abc", 8, None),
    ],
)
def test_a_teacher_reads_the_same_tokens_and_as_many(kind, text, length, message):
    """Else what it says of them, to whichever task, would be of others. How conversations are
    written with them is no part of that."""
    ends = {} if kind == "byte" else {"specials": ["<|endoftext|>"]}
    there = train_tokenizer(kind, [text] if text else [], **ends)
    here = train_tokenizer("char", ["abc"], specials=["<|endoftext|>"])
    here.chat, here.ends = {"source": "", "variables": {}}, [1]
    model = nn.Module()
    model.context = 8
    known = Teacher(model, "outputs/gpt", "best", 1, "", tokenizer=there)
    facts = {"tokenizer": here, "block_size": length}
    with pytest.raises(UserError, match=message) if message else contextlib.nullcontext():
        known.check_tokens(facts)


def test_rows_that_the_teacher_has_seen_and_this_run_tests_on_are_told(train, teacher):
    """The teacher's split is that of its seed, 5."""
    done = train(*TINY, *DISTIL, f"teacher.from={teacher}", "seed=6")
    assert "with data.split_seed=5, here it is 6: it may have seen rows" in done.out + done.err
    same = train(*TINY, *DISTIL, f"teacher.from={teacher}", "seed=6", "data.split_seed=5")
    assert same.code == 0 and "rows of this test split" not in same.out + same.err


ADAPTED = ["model=gpt", "data.path=x.jsonl", "init.from=gpt2", "adapter=lora"]
PAIRS = ["task=dpo", "data=preferences"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([*PAIRS, "init.adapter=outputs/a"], "init.adapter=outputs/a is a part of it; add teacher"),
        ([*PAIRS, "init.skip=[head]"], r"trains init.skip=\[head\] besides the adapter"),
        ([*PAIRS, "init.resize=[embedding]"], r"trains init.resize=\[embedding\] besides"),
        (["task=reinforce", "data=sft", "init.adapter=outputs/a"], "task=reinforce compares the"),
    ],
)
def test_a_start_that_is_not_the_model_without_its_adapter(options, said):
    with pytest.raises(UserError, match=said):
        check_teacher(load([*ADAPTED, *options]))
    check_teacher(load([*ADAPTED, *options, "teacher.from=outputs/a"]))
    check_teacher(load([*ADAPTED, "data=sft", "task=causal_lm", options[-1]]))
