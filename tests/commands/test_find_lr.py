"""The command of the learning-rate range test: its plot, its suggestion, its mistakes."""

import pytest

from zoo.commands import find_lr


def test_it_plots_the_curve_and_suggests_a_rate_that_trains(tmp_path, capsys, data_root):
    code = find_lr.main(
        ["model=mlp", "data=digits", "steps=60", f"output_dir={tmp_path}", "trainer.device=cpu"]
        + [f"data.root={data_root}", "trainer.precision=fp32", "high=10"]
    )
    assert code == 0
    rate = float(capsys.readouterr().out.split("optim.lr=")[1].split()[0])
    assert 1e-5 < rate < 1
    (path,) = (tmp_path / "find_lr").iterdir()
    assert path.suffix == ".png" and path.read_bytes()[:4] == b"\x89PNG"


def test_it_starts_from_the_weights_that_training_would(tmp_path, train, capsys):
    common = ["model=mlp", "model.width=4", "data=rain", "trainer.precision=fp32"]
    run = train(*common, "trainer.max_steps=300", "optim.lr=0.01").path
    firsts = []
    for start in ([], [f"init.from={run}"]):
        capsys.readouterr()
        assert find_lr.main([*common, *start, "steps=20", f"output_dir={tmp_path}"]) == 0
        firsts.append(float(capsys.readouterr().out.splitlines()[0].split()[3]))
    assert firsts[1] < 0.7 * firsts[0]  # the loss of trained weights


def test_a_curve_that_cannot_be_drawn_leaves_the_rates(tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    common = ["model=mlp", "model.width=4", "data=rain", "trainer.precision=fp32", "steps=20"]
    assert find_lr.main([*common, f"output_dir={tmp_path / 'file'}"]) == 0
    printed = capsys.readouterr().out
    assert "the loss falls fastest at optim.lr=" in printed and "was not drawn (" in printed


@pytest.mark.parametrize("option", ["low=2", "steps=3", "high=x", "hgih=1"])
def test_a_mistake_names_the_option(option, capsys):
    assert find_lr.main([option]) == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1 and option.split("=")[0] in complaint
