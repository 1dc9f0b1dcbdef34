"""The user's own modules, by name."""


def test_a_plugin_that_is_not_there(mistake):
    assert "plugins: cannot import 'no_such_plugin'" in mistake("plugins=[no_such_plugin]")
