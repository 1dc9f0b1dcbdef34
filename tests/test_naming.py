"""Which names lie in a model's output layer."""

import pytest

from zoo.naming import in_head


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("head.weight", True),
        ("fc.bias", True),
        ("head", True),
        ("blocks.0.attention.qkv.weight", False),
        ("heads.weight", False),
        ("overhead.weight", False),
    ],
)
def test_names_below_head_or_fc_are_in_it(name, expected):
    assert in_head(name) is expected
