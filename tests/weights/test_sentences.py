"""What the files of published sentence encoders say about pooling."""

import json

import pytest

from zoo.errors import UserError
from zoo.weights.sentences import Stated, read_stated

MEAN = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}


def layout(folder, pooling=MEAN, kinds=("Transformer", "Pooling"), **files):
    """A folder as sentence-transformers writes it."""
    paths = {"Transformer": "", "Pooling": "1_Pooling"}
    modules = [
        {"idx": k, "path": paths.get(kind, f"{k}_{kind}"), "type": f"sentence_transformers.{kind}"}
        for k, kind in enumerate(kinds)
    ]
    (folder / "1_Pooling").mkdir()
    written = {"modules": modules, "1_Pooling/config": pooling, **files}
    for name, content in written.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_a_folder_says_how_it_pools(tmp_path):
    assert read_stated(tmp_path) == Stated()
    prompts = {"prompts": {"query": "query: ", "none": ""}, "default_prompt_name": "query"}
    folder = layout(
        tmp_path,
        kinds=("Transformer", "Pooling", "Normalize"),
        sentence_bert_config={"max_seq_length": 77, "do_lower_case": True},
        config_sentence_transformers=prompts,
    )
    assert read_stated(folder) == Stated("mean", True, 77, True, "query: ")


@pytest.mark.parametrize("pooling", [{"pooling_mode": "cls"}, {"pooling_mode_cls_token": True}])
def test_old_and_new_names_of_pooling(tmp_path, pooling):
    assert read_stated(layout(tmp_path, pooling)) == Stated("cls")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": ("Transformer", "Pooling", "Dense")}, "a text passes Dense, which is not read"),
        ({"pooling": {"pooling_mode_max_tokens": True}}, "by pooling_mode_max_tokens; expected"),
        ({"pooling": MEAN | {"pooling_mode_cls_token": True}}, "pooling by cls and mean; expected"),
        ({"pooling": MEAN | {"include_prompt": False}}, "without the prompt's tokens"),
        ({"modules": [{"path": ""}]}, "how it pools cannot be read: KeyError"),
    ],
)
def test_what_is_not_read_is_refused(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        read_stated(layout(tmp_path, **options))
