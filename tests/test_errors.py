"""The valid name that is closest to a mistyped one."""

from zoo.errors import closest_match, unknown_name


def test_the_closest_name_is_found():
    valid = ["optim.lr", "trainer.max_steps", "trainer.max_epochs", "seed", "model"]
    assert closest_match("lr", valid) == "optim.lr"
    assert closest_match("trainer.max_step", valid) == "trainer.max_steps"
    assert closest_match("max_steps", valid) == "trainer.max_steps"
    assert closest_match("sed", valid) == "seed"
    assert closest_match("qqqqq", valid) is None
    assert unknown_name("model", "q", []) == "unknown model 'q'; (one of: none)"
