"""The user's own modules, by name."""

import sys

import pytest

from zoo.errors import UserError
from zoo.importing import import_plugins


def test_a_plugin_that_is_not_there(mistake):
    assert "plugins: cannot import 'no_such_plugin'" in mistake("plugins=[no_such_plugin]")


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a-b", "a b", "a/b.py"])
def test_a_plugin_is_a_modules_name(name):
    with pytest.raises(UserError, match="expected names of modules"):
        import_plugins([name])


def module(folder, name, value):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(f"VALUE = {value}\n")


@pytest.fixture
def path(monkeypatch):
    """The path of modules, put back; what was imported is forgotten."""
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield sys.path
    for name in sys.modules.keys() - known:
        del sys.modules[name]


def test_the_current_folder_comes_before_pythonpath(path, tmp_path, monkeypatch):
    module(tmp_path / "here", "plugin_in_two_places", 1)
    module(tmp_path / "there", "plugin_in_two_places", 2)
    path.insert(0, str(tmp_path / "there"))
    monkeypatch.chdir(tmp_path / "here")
    before = [*path]
    import_plugins(["plugin_in_two_places"])
    assert sys.modules["plugin_in_two_places"].VALUE == 1
    assert path == [*before, str(tmp_path / "here")]  # behind all others: it hides none of theirs


def test_another_folders_plugin_of_the_same_name(path, tmp_path, monkeypatch):
    """A program that goes on to another folder would get the first one's model."""
    for number, folder in enumerate(("first", "second")):
        module(tmp_path / folder, "plugin_of_a_folder", number)
    monkeypatch.chdir(tmp_path / "first")
    import_plugins(["plugin_of_a_folder"])
    import_plugins(["plugin_of_a_folder"])
    monkeypatch.chdir(tmp_path)
    import_plugins(["plugin_of_a_folder"])  # as before: no other is here
    monkeypatch.chdir(tmp_path / "second")
    with pytest.raises(UserError, match=r"first/plugin_of_a_folder.py of the same name"):
        import_plugins(["plugin_of_a_folder"])


def test_a_name_of_pythons_own_is_not_taken_silently(path, tmp_path, monkeypatch):
    module(tmp_path, "random", 1)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="module 'random', and .*random.py of the same name"):
        import_plugins(["random"])
