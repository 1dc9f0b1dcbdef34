"""What a run's event file gives TensorBoard: one run, settings, final figures, pictures."""

import json

import pytest


@pytest.fixture(scope="module")
def summaries(rain_run):
    """Tag to values; of the HParams plugin, to messages."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    (file,) = rain_run.rglob("events.out.tfevents.*")
    assert file.parent == rain_run  # no sub-run
    found = {}
    for event in EventFileLoader(str(file)).Load():
        for value in event.summary.value if event.HasField("summary") else []:
            found.setdefault(value.tag, []).append((event.step, value))
    return found


def scalar(found, tag):
    return [(step, value.tensor.float_val[0]) for step, value in found[tag]]


def test_the_final_figures_come_before_the_trainings(rain_run, summaries):
    result = json.loads((rain_run / "result.json").read_text())
    for split in ("val", "test"):
        for name, value in result[split].items():
            ((step, shown),) = scalar(summaries, f"best/{split}_{name}")
            assert (step, shown) == (120, pytest.approx(value, rel=1e-6))
    scalars = sorted(tag for tag in summaries if summaries[tag][0][1].tensor.float_val)
    assert scalars[: 2 * len(result["test"])] == [t for t in scalars if t.startswith("best/")]


def test_the_settings_are_a_session_that_succeeded(summaries):
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

    said = {}
    for tag in ("_hparams_/session_start_info", "_hparams_/session_end_info"):
        ((_, value),) = summaries[tag]
        data = plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
        said[tag.rpartition("/")[2]] = data
    settings = said["session_start_info"].session_start_info.hparams
    assert settings["model.width"].number_value == 8
    assert settings["optim.name"].string_value == "adamw"
    assert settings["trainer.compile"].string_value == "False"
    assert not {"name", "output_dir", "expect"} & {key.split(".")[0] for key in settings}
    assert said["session_end_info"].session_end_info.status == api_pb2.STATUS_SUCCESS
    assert "_hparams_/experiment" not in summaries  # columns come from all runs, not the first


def test_pictures_are_in_tensorboard_and_in_the_previews(rain_run, summaries):
    for tag in ("confusion", "decision_surface"):
        assert summaries[tag][-1][1].tensor.string_val[2][:4] == b"\x89PNG"
        assert (rain_run / "previews" / f"{tag}-000120.png").read_bytes()[:4] == b"\x89PNG"
