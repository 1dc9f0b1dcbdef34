"""Checkpoints and configs from elsewhere: nothing in them is executed."""

import hashlib
import json
import os
import pickle
import shutil
import sys

import pytest
import yaml
from sample_checkpoints import is_step, load

from zoo.config import compose
from zoo.training.checkpoint import (
    _digest,
)


def forge(folder, **change):
    """A manifest that verifies, whatever it says."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, content in change.pop("files", {}).items():
        proof = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        manifest["files"][name] = proof
        if "/" not in name and name not in ("", ".", ".."):
            (folder / name).write_bytes(content)
    manifest |= change
    manifest["sha256"] = _digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


class Bomb:
    def __reduce__(self):
        return os.system, ("touch /tmp/zoo-was-here",)


HOSTILE = {
    "a pickle as weights": {"files": {"model.safetensors": pickle.dumps(Bomb())}},
    "a pickle that is listed": {"files": {"model.pt": pickle.dumps(Bomb())}},
    "a pickle as state": {"files": {"state.json": pickle.dumps(Bomb())}},
    "a path upwards": {"files": {"../../../etc/passwd": b"x"}},
    "an absolute path": {"files": {"/etc/passwd": b"x"}},
    "a folder": {"files": {"..": b""}},
    "no name": {"files": {"": b""}},
    "files as a list": {"files": {}, "kind": ["last"]},
    "a step of text": {"step": "twenty"},
    "another format": {"format": 999},
    "deep JSON": {"files": {"state.json": b"[" * 200_000}},
    "an endless header": {"files": {"model.safetensors": b"\xff" * 64}},
    "state is a list": {"files": {"state.json": b"[]"}},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_folder_runs_nothing(checkpoints, kind):
    newest = checkpoints.folder / "last-00000020"
    forge(newest, **{k: dict(v) if k == "files" else v for k, v in HOSTILE[kind].items()})
    events = []
    watched = ("pickle.find_class", "os.system", "subprocess.Popen", "exec", "compile", "import")
    listening = [True]
    sys.addaudithook(
        lambda event, args: events.append((event, args)) if listening and event in watched else None
    )
    opened = []
    sys.addaudithook(
        lambda event, args: opened.append(str(args[0])) if listening and event == "open" else None
    )
    try:
        checkpoint, _ = load(checkpoints)
    finally:
        listening.clear()
    assert events == []
    assert all(str(checkpoints.folder) in path for path in opened), opened
    assert checkpoint.step in (
        10,
        20,
    )  # "a pickle that is listed" may be read as bytes; nothing interprets it
    if kind not in ("a pickle that is listed", "state is a list"):
        assert is_step(checkpoint, 10)


NONSENSE = {
    "empty": lambda state: {},
    "a list": lambda state: [],
    "null": lambda state: None,
    "a step of text": lambda state: state | {"step": "2"},
    "a best that is none": lambda state: state | {"best": {"stop": 3}},
    "a schedule that is none": lambda state: state | {"schedule": {"level": []}},
    "a precision that is none": lambda state: state | {"precision": {}},
    "bytes of text": lambda state: state | {"metrics_bytes": "12"},
}


@pytest.fixture(scope="module")
def plateau_run(trained):
    return trained("plateau", "model=mlp", "model.width=4", "data=rain", "schedule=plateau")


@pytest.mark.parametrize("kind", NONSENSE)
def test_a_state_that_verifies_and_is_none_is_one_line(kind, plateau_run, tmp_path, capsys):
    from zoo.commands.train import main as train

    run = tmp_path / "run"
    shutil.copytree(plateau_run, run)
    for folder in sorted((run / "checkpoints").glob("last-*")):
        state = json.loads((folder / "state.json").read_text())
        forge(folder, files={"state.json": json.dumps(NONSENSE[kind](state)).encode()})
    assert train([f"resume={run}", "trainer.max_steps=20"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "last-0" in said, said


def test_a_config_runs_nothing(tmp_path, checkpoints, capsys):
    """A run directory from elsewhere: YAML tags, interpolations and plugins are not obeyed."""
    from zoo.commands.train import main as train

    (tmp_path / "config.yaml").write_text("a: !!python/object/apply:os.system ['touch x']\n")
    assert train([f"resume={tmp_path}"]) == 2
    (tmp_path / "config.yaml").write_text("plugins: [antigravity]\nmodel: {_target_: os.system}\n")
    assert train([f"resume={tmp_path}"]) == 2
    config = compose.load(["model=mlp"]).to_dict() | {"plugins": ["antigravity"]}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert train([f"resume={tmp_path}"]) == 2
    config |= {"plugins": [], "model": {"name": "mlp", "_target_": "os.system"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert train([f"resume={tmp_path}"]) == 2
    assert "antigravity" not in sys.modules and "Traceback" not in capsys.readouterr().err
