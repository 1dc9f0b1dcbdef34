"""The fields of rotary positions: old ones, the new one, and what is refused."""

import pytest

from zoo.weights.rope import rope_fields, rope_settings

LLAMA3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)
WHOLE = LLAMA3 | dict(original_max_position_embeddings=8192)
LINEAR = {"type": "linear", "factor": 4.0}


@pytest.mark.parametrize(
    ("config", "base", "scaling"),
    [
        ({}, 10_000.0, None),
        ({"rope_theta": 500000.0, "rope_scaling": None}, 500000.0, None),
        ({"rope_theta": 1e6, "rope_scaling": LINEAR}, 1e6, LINEAR),
        ({"rope_scaling": {"rope_type": "default"}}, 10_000.0, None),
        (
            {"rope_theta": 5e5, "rope_scaling": WHOLE | {"rope_type": "llama3"}},
            5e5,
            WHOLE | {"type": "llama3"},
        ),
        ({"rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}, 1e6, None),
        (
            {"rope_parameters": {"rope_theta": 1e6, "rope_type": "linear", "factor": 4.0}},
            1e6,
            LINEAR,
        ),
        (
            {"max_position_embeddings": 99, "rope_scaling": LLAMA3 | {"rope_type": "llama3"}},
            10_000.0,
            LLAMA3 | {"type": "llama3", "original_max_position_embeddings": 99},
        ),
    ],
)
def test_forms_that_are_published(config, base, scaling):
    settings = rope_settings(config)
    assert settings == {"rope_base": base, "rope_scaling": scaling}
    assert rope_settings(rope_fields(settings)) == settings


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"rope_scaling": {"type": "yarn"}}, "by yarn .known: default, linear, llama3."),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "by dynamic"),
        ({"rope_scaling": {"type": "linear"}}, "without factor"),
        ({"rope_scaling": "linear"}, "rope_scaling=linear, expected an object"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor=0.5"),
    ],
)
def test_what_our_model_has_not(config, said):
    with pytest.raises(ValueError, match=said):
        rope_settings(config)
