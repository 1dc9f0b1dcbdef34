"""A run back in memory: the right weights, verified, and none of the run's code executed."""

import json

import pytest
import torch
import yaml
from safetensors.torch import load_file

from zoo.errors import UserError
from zoo.registry import MODELS
from zoo.restore import restore


def same(model, tensors):
    state = model.state_dict()
    return state.keys() == tensors.keys() and all(torch.equal(state[n], tensors[n]) for n in state)


def only(path, kind):
    return sorted((path / "checkpoints").glob(f"{kind}-*"))[-1]


def edit(path, change):
    file = path / "config.yaml"
    settings = yaml.safe_load(file.read_text())
    change(settings)
    file.write_text(yaml.safe_dump(settings))


def test_the_best_weights_are_the_default(digits_run):
    restored = restore(digits_run)
    folder = only(digits_run, "best")
    assert restored.checkpoint == folder.name
    assert same(restored.model, load_file(folder / "model.safetensors"))
    assert not restored.model.training
    assert restored.precision.name == "fp32" and str(restored.runtime.device) == "cpu"
    assert restored.task.class_names == [str(k) for k in range(10)]


def test_the_last_weights_are_the_averaged_ones_where_ema_was_on(digits_run):
    restored = restore(digits_run, "last")
    folder = only(digits_run, "last")
    assert restored.step == 40 and same(restored.model, load_file(folder / "ema.safetensors"))
    assert not same(restored.model, load_file(folder / "model.safetensors"))


def test_without_ema_the_last_weights_are_the_models(rain_run):
    restored = restore(rain_run, "last")
    assert same(restored.model, load_file(only(rain_run, "last") / "model.safetensors"))


def test_a_checkpoint_by_step_or_by_name(digits_run):
    names = sorted(p.name for p in (digits_run / "checkpoints").iterdir())
    for name in names:
        assert restore(digits_run, name).checkpoint == name
    assert restore(digits_run, "40").step == 40


def test_the_encoding_is_the_trainings(price_run, table):
    restored = restore(price_run)
    said = json.loads((price_run / "dataset.json").read_text())
    assert restored.encoding.to_json() == said["encoding"]
    _, batch = restored.encoding.read(str(table))
    assert batch["input"].shape == (120, *restored.facts["input_shape"])


def test_a_damaged_checkpoint_is_skipped_with_a_warning(digits_run, copied):
    path = copied(digits_run)
    kept = sorted(p.name for p in (path / "checkpoints").glob("last-*"))
    assert len(kept) == 2
    weights = path / "checkpoints" / kept[1] / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    heard = []
    assert restore(path, "last", warn=heard.append).checkpoint == kept[0]
    assert len(heard) == 1 and "damaged" in heard[0] and "SHA-256" in heard[0]
    with pytest.raises(UserError, match="damaged"):
        restore(path, kept[1])


def test_an_unknown_checkpoint_gets_a_suggestion(digits_run):
    with pytest.raises(UserError, match=r"unknown checkpoint 'bests'; did you mean 'best'\?"):
        restore(digits_run, "bests")
    with pytest.raises(UserError, match="unknown checkpoint '../last-00000040'"):
        restore(digits_run, "../last-00000040")


def test_a_run_stopped_before_its_first_evaluation_offers_the_last(rain_run, copied):
    path = copied(rain_run)
    for folder in (path / "checkpoints").glob("best-*"):
        folder.rename(path / folder.name)
    with pytest.raises(UserError, match="take checkpoint=last"):
        restore(path)
    for folder in (path / "checkpoints").glob("last-*"):
        folder.rename(path / folder.name)
    with pytest.raises(UserError, match="holds no checkpoint"):
        restore(path, "last")


def test_plugins_of_a_run_are_imported_only_when_asked_for(rain_run, copied, tmp_path, monkeypatch):
    """A model of the user's own: named by the run, imported by the command line alone."""
    marker = tmp_path / "imported"
    (tmp_path / "stranger.py").write_text(
        f"from pathlib import Path\nPath({str(marker)!r}).write_text('x')\n"
        "from zoo.models.mlp import MLP\nfrom zoo.registry import MODELS\n"
        "@MODELS.register('strange')\nclass Strange(MLP):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    MODELS.names()  # all of ours are registered; what the test adds is forgotten after it
    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    path = copied(rain_run)

    def change(settings):
        settings["plugins"] = ["stranger"]
        settings["model"]["name"] = "strange"

    edit(path, change)
    with pytest.raises(UserError, match=r"unknown model 'strange'.*add plugins=\[stranger\]"):
        restore(path)
    assert not marker.exists()
    assert type(restore(path, plugins=["stranger"]).model).__name__ == "Strange"
    assert marker.exists()


def test_a_config_that_names_code_is_refused(rain_run, copied):
    path = copied(rain_run)
    edit(path, lambda settings: settings["model"].update(_target_="os.system"))
    with pytest.raises(UserError, match="_target_ is refused"):
        restore(path)


def test_a_config_without_a_model_is_said_to_be_none(rain_run, copied):
    path = copied(rain_run)
    edit(path, lambda settings: settings.pop("model"))
    with pytest.raises(UserError, match="it lacks model"):
        restore(path)


def test_weights_that_do_not_fit_are_refused(rain_run, copied):
    path = copied(rain_run)
    edit(path, lambda settings: settings["model"].update(width=9))
    with pytest.raises(UserError, match="does not fit the model"):
        restore(path)


def test_a_number_format_that_the_device_lacks_becomes_fp32(rain_run, copied):
    path = copied(rain_run)
    edit(path, lambda settings: settings["trainer"].update(precision="fp16"))
    heard = []
    assert restore(path, warn=heard.append).precision.name == "fp32"
    assert "fp16" in heard[0]


def test_auto_precision_is_what_the_run_found(rain_run, copied):
    path = copied(rain_run)
    edit(path, lambda settings: settings["trainer"].update(precision="auto"))
    result = json.loads((path / "result.json").read_text()) | {"precision": "bf16"}
    (path / "result.json").write_text(json.dumps(result))
    assert restore(path).precision.name == "bf16"
    (path / "result.json").unlink()
    assert restore(path, "last").precision.name == "fp32"


def test_a_path_that_is_no_run(tmp_path, rain_run):
    with pytest.raises(UserError, match="there is no such folder"):
        restore(tmp_path / "nowhere")
    with pytest.raises(UserError, match="the newest run below it is"):
        restore(rain_run.parent)


def test_a_base_that_moved_is_named_again(train, copied, tmp_path):
    small = ("model=mlp", "data=rain", "data.samples=100", "model.width=4", "trainer=debug")
    base = train(*small).path
    tuned = train(*small, f"init.from={base}", "adapter=lora", "adapter.rank=2").path
    moved = base.rename(tmp_path / "moved (1)")
    with pytest.raises(UserError, match="have moved, add base=<their folder>"):
        restore(tuned)
    again = restore(tuned, base=str(moved))
    assert again.model.state_dict().keys() and again.step > 0
    with pytest.raises(UserError, match="base=.* is for runs with an adapter"):
        restore(moved, base=str(moved))
    more = train(f"resume={tuned}", f"init.from={moved}", "trainer.max_steps=8")
    assert more.code == 0, more.err


DAMAGE = {
    "no object": (lambda c: [], "the content is [] (list), expected an object"),
    "no encoding": (lambda c: c.pop("encoding"), "encoding is null, expected an object"),
    "facts null": (lambda c: c.update(facts=None), "facts is null, expected an object"),
    "no hash": (lambda c: c.pop("sha256"), "sha256 is null, expected a text"),
    "kind a list": (lambda c: c["encoding"].update(kind=["table"]), "encoding of unknown kind"),
    "columns null": (lambda c: c["encoding"].update(columns=None), "expected a list of columns"),
    "columns numbers": (lambda c: c["encoding"].update(columns=[1]), "columns[0] is 1 (int)"),
    "std 0": (lambda c: c["encoding"]["columns"][0].update(std=0), "columns[0].std is 0, expected"),
    "std a text": (lambda c: c["encoding"]["columns"][0].update(std="1"), ".std: got '1' (str)"),
    "mean nan": (lambda c: c["encoding"]["columns"][0].update(mean=float("nan")), "mean is nan"),
    "a column less": (lambda c: c["encoding"]["columns"].pop(), "facts and encoding differ"),
    "target std 0": (lambda c: c["encoding"]["target"].update(std=0.0), "target.std is 0.0"),
    "outputs a text": (lambda c: c["facts"].update(num_outputs="1"), "num_outputs: got '1' (str)"),
    "shape null": (lambda c: c["facts"].update(input_shape=None), "input_shape: got null"),
    "mean a text": (lambda c: c["facts"].update(target_mean="x"), "target_mean: got 'x' (str)"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_dataset_json_is_one_line(price_run, tmp_path, what):
    change, said = DAMAGE[what]
    (tmp_path / "checkpoints").symlink_to(price_run / "checkpoints")
    (tmp_path / "config.yaml").write_text((price_run / "config.yaml").read_text())
    content = json.loads((price_run / "dataset.json").read_text())
    changed = change(content)
    (tmp_path / "dataset.json").write_text(json.dumps(changed if changed == [] else content))
    with pytest.raises(UserError) as error:
        restore(tmp_path)
    assert said in str(error.value)
