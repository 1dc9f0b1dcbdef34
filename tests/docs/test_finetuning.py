"""The way from a published model to one's own assistant, as docs/finetuning.md tells it."""

import io
import json
import re
import shlex
from pathlib import Path

import pytest

from zoo.commands.evaluate import main as evaluate
from zoo.commands.export import main as export
from zoo.commands.predict import main as predict
from zoo.commands.preferences import main as preferences
from zoo.commands.train import main as train

PAGE = Path(__file__).resolve().parents[2] / "docs" / "finetuning.md"
COMMANDS = {
    "train.py": train,
    "evaluate.py": evaluate,
    "scripts/predict.py": predict,
    "scripts/preferences.py": preferences,
    "scripts/export.py": export,
}
SMALL = ("trainer.max_steps=2", "trainer.eval_steps=2", "trainer.device=cpu")
PUBLISHED = "HuggingFaceTB/SmolLM2-135M-Instruct"


def told():
    """The conversation of the page, and the commands of its first section, in order."""
    section = PAGE.read_text(encoding="utf-8").split("\n## ")[1]
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    lines = [line for kind, text in blocks if kind == "bash" for line in text.splitlines()]
    return next(text for kind, text in blocks if kind == "json"), [shlex.split(x) for x in lines]


def edit_json(path, **values):
    path = Path(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A small model in the Hub's format, which can say a little."""
    monkeypatch.chdir(tmp_path)
    talk = [{"role": "user", "content": "a?"}, {"role": "assistant", "content": "b"}]
    Path("before.jsonl").write_text(f"{json.dumps({'messages': talk})}\n" * 12)
    size = ("model.width=16", "model.depth=1", "model.heads=2")
    options = ("model=llama", "task=causal_lm", "data=sft", "data.path=before.jsonl", *size)
    assert train([*options, "optim.lr=0.03", "trainer.max_steps=60", "name=published"]) == 0
    assert export(["run=outputs/published", "format=hf", "out=published"]) == 0
    edit_json("published/generation_config.json", eos_token_id=[0, 5])  # answers end in two ways
    return "published"


def test_the_story_can_be_followed(published, monkeypatch, capsys):
    row, commands = told()
    Path("chats.jsonl").write_text(row * 30)
    monkeypatch.setattr("sys.stdin", io.StringIO("Where is the invoice?\n"))
    for _, program, *words in commands:
        words = [word.replace(PUBLISHED, published) for word in words]
        extra = SMALL if program == "train.py" else ()
        code = COMMANDS[program]([*words, *extra])
        assert code == 0, (program, words, capsys.readouterr().err)
    result = json.loads(max(Path("outputs/aligned").iterdir()).joinpath("result.json").read_text())
    assert {"accuracy", "perplexity", "start_perplexity"} <= result["test"].keys()
    written = json.loads(Path("exported/aligned/generation_config.json").read_text())
    assert written["eos_token_id"] == [0, 5]
    assert list(Path("exported/gguf").glob("*.gguf"))
    assert Path("exported/adapter/adapter_config.json").is_file()
