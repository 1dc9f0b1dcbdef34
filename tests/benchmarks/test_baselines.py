"""Classical models on the recipes' splits: what is printed and what is kept."""

import json

import pytest
from sklearn.datasets import load_breast_cancer

from benchmarks import baselines
from zoo.errors import UserError


def test_the_usual_model_and_the_trivial_answer_are_kept(tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    words = ["experiments=mlp_breast_cancer,transformer_numbers", "seeds=0", "write=true"]
    assert baselines.main(words, root=tmp_path) == 0
    assert "mlp_breast_cancer" in capsys.readouterr().out
    kept = json.loads((tmp_path / "docs" / "baselines.json").read_text())
    assert list(kept) == ["mlp_breast_cancer"]  # translation has no usual one
    row, malignant = kept["mlp_breast_cancer"], load_breast_cancer().target
    assert row["metrics"]["test/accuracy"]["mean"] > 0.9
    majority = max(malignant.mean(), 1 - malignant.mean())
    assert row["trivial"]["metrics"]["test/accuracy"]["mean"] == pytest.approx(majority, abs=0.02)


@pytest.mark.parametrize("word", ["experiments=mlp_digit", "seeds=a", "write=yes", "lr=1"])
def test_what_is_not_understood_is_refused(word):
    with pytest.raises(UserError):
        baselines.main([word])
