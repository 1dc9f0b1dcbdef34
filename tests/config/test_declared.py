"""What settings are declared to be, read from source: as the signatures themselves say."""

import types
import typing

import pytest
import yaml

from zoo.config import groups
from zoo.config.declared import declared_type, fits, takes_text, takes_texts
from zoo.config.run import RunConfig
from zoo.data.context import DataContext
from zoo.registry import ADAPTERS, DATASETS, MODELS, OPTIMIZERS, SCHEDULES, TASKS
from zoo.schema import parameters

REGISTRIES = (ADAPTERS, DATASETS, MODELS, OPTIMIZERS, SCHEDULES, TASKS)


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_text_is_what_every_signature_says_is_text(registry):
    """Two builders of a group do not differ in whether an option is text."""
    for name in registry.names():
        for option, parameter in parameters(registry[name].builder).items():
            read = declared_type(f"{registry.kind}.{option}")
            hint = parameter.annotation
            is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
            members = typing.get_args(hint) if is_union else (hint,)
            assert takes_text(read) == (str in members), (name, option)
            assert takes_texts(read) == (list[str] in members), (name, option)


def test_settings_outside_of_builders():
    assert declared_type("data.root") is parameters(DataContext)["root"].annotation is str
    assert declared_type("init.from") == str | None
    assert declared_type("seed") is RunConfig.__annotations__["seed"] is int
    assert fits(3, declared_type("teacher.checkpoint")) and fits(3, declared_type("data.fold"))
    assert declared_type("data.nope") is declared_type("nope") is declared_type("nope.no") is None
    assert not takes_text(declared_type("model.stem")), "one of several words"
    assert fits("x", None) and not fits("x", int)


def test_every_setting_of_the_files_is_declared():
    for group in (g for g in groups.GROUPS if g != "trainer"):
        for choice in groups.choices(group):
            settings = yaml.safe_load(groups.config_file(group, choice).read_text("utf-8"))
            for name in settings.keys() - {"name", "defaults", "rates", "augment"}:
                is_shared = name in ("batch_size", "workers")
                assert is_shared or declared_type(f"{group}.{name}") is not None, (group, name)
