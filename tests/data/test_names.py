"""Names that mean the same to a reader."""

from zoo.data.names import note_alike


def test_names_that_mean_the_same_are_noted():
    for alike in (["Yes", "yes"], ["a b", "ab "], ["1", "1.0"], ["é", "e\u0301"], ["１", "1"]):
        (note,) = note_alike([*alike, "other"], "target 'kind'", "classes")
        first, second = sorted(alike)
        assert note.startswith(f"target 'kind': '{first}' and '{second}' are different classes;")
    assert note_alike(["01", "1", "1.5", "nan", "inf", "", "a", "b"], "x", "classes") == []
    assert note_alike(["9007199254740992", "9007199254740993"], "x", "classes") == []
