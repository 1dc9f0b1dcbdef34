"""The user's own modules, by name."""

import pytest

from zoo.errors import UserError
from zoo.importing import import_plugins


def test_a_plugin_that_is_not_there(mistake):
    assert "plugins: cannot import 'no_such_plugin'" in mistake("plugins=[no_such_plugin]")


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a-b", "a b", "a/b.py"])
def test_a_plugin_is_a_modules_name(name):
    with pytest.raises(UserError, match="expected names of modules"):
        import_plugins([name])
