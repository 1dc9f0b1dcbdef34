"""The register of encodings: damaged, unknown and unfitting ones are named."""

import dataclasses

import pytest

from zoo.data.encoding import ENCODINGS, load_encoding, match_classes
from zoo.errors import UserError


@pytest.mark.parametrize("kind", ENCODINGS.names())
def test_every_encoding_has_the_methods_and_the_kind_of_its_name(kind):
    encoding = ENCODINGS[kind].builder
    assert encoding.kind == kind and isinstance(encoding.holds, str)
    for name in ("from_json", "to_json", "prepare", "read"):
        assert callable(getattr(encoding, name))
    fields = {field.name for field in dataclasses.fields(encoding)}
    assert hasattr(encoding, "tokenizer") or "tokenizer" in fields
    assert hasattr(encoding, "runtime_facts")


def test_a_damaged_encoding_is_named():
    with pytest.raises(UserError, match="unknown kind 'sound'"):
        load_encoding({"kind": "sound"})
    with pytest.raises(UserError, match="table encoding is damaged"):
        load_encoding({"kind": "table", "columns": []})


IMAGE = {
    "kind": "image", "size": [8, 8], "channels": 1, "mean": [0.5], "std": [0.2],
    "class_names": ["a", "b"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("std", [0.0], "std is 0.0, expected a number above 0"),
        ("std", "0.2", "std: got '0.2' (str)"),
        ("mean", [float("nan")], "mean is nan"),
        ("size", None, "size: got null"),
        ("channels", 0, "channels is 0, expected a number above 0"),
        ("class_names", [1], "class_names: got"),
        ("colour", 1, "unexpected keyword argument 'colour'"),
    ],
)
def test_a_field_of_a_wrong_type_is_named(field, value, said):
    load_encoding(IMAGE)
    with pytest.raises(UserError) as error:
        load_encoding(IMAGE | {field: value})
    assert "the run's image encoding is damaged" in str(error.value) and said in str(error.value)


@pytest.mark.parametrize("json", [None, [], "table", 3])
def test_what_is_no_object_is_no_encoding(json):
    with pytest.raises(UserError, match="the run's encoding is .*, expected an object"):
        load_encoding(json)


def test_an_unknown_kind_names_the_plugins_that_may_register_it():
    with pytest.raises(UserError, match=r"if a plugin registers it, add plugins=\[<its module>\]"):
        load_encoding({"kind": "sound"})
    with pytest.raises(UserError, match=r"if you trust them, add plugins=\[my_sounds,mine\]"):
        load_encoding({"kind": "sound"}, ["my_sounds", "mine"])


def test_classes_are_matched_by_name():
    assert match_classes(["dog", "cat"], ["cat", "cow", "dog"]) == [2, 0]
    with pytest.raises(UserError, match=r"2 classes \(emu, cat\), the run was trained on 4 \(a, b"):
        match_classes(["emu", "cat"], ["a", "b", "cat", "d"])
    many = [f"class {k}" for k in range(300)]
    with pytest.raises(UserError, match=r"knows nothing of klass 99; did you mean 'class 99'\?"):
        match_classes([*many[:99], "klass 99"], many)
