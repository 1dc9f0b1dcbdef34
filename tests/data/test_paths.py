"""Paths that do not exist: the nearest name, or the folder that is missing."""

from zoo.data.paths import not_found


def test_the_nearest_name_is_suggested(tmp_path):
    (tmp_path / "photos").mkdir()
    message = str(not_found(tmp_path / "photo"))
    assert message == (
        f"{tmp_path / 'photo'}: no such file or folder; did you mean '{tmp_path / 'photos'}'?"
    )


def test_a_missing_folder_is_named(tmp_path):
    message = str(not_found(tmp_path / "a" / "b.csv"))
    assert message.endswith(f"(the folder {tmp_path / 'a'} does not exist)")
    assert str(not_found(tmp_path / "qqq")).endswith("qqq: no such file or folder")
