"""Composing and checking configs: what is refused, what is meant by it, what wins."""

import random
import string

import pytest
import yaml
from hydra import initialize_config_dir
from hydra.errors import HydraException
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.config import compose
from zoo.config import groups as configs
from zoo.config.run import RunConfig
from zoo.errors import UserError, closest_match


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """Write an experiment file next to the real ones (in a copy of configs/)."""
    import shutil

    folder = tmp_path / "configs"
    shutil.copytree(configs.CONFIG_DIR, folder)
    monkeypatch.setattr(configs, "CONFIG_DIR", folder)

    def write(name, text):
        (folder / "experiment" / f"{name}.yaml").write_text(f"# @package _global_\n{text}")

    return write


def said(*overrides):
    with pytest.raises(UserError) as caught:
        compose.load(list(overrides))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------------ what is composed


def test_without_arguments_the_default_experiment_is_meant():
    config = compose.load([])
    assert config.experiment == config.name == configs.DEFAULT_EXPERIMENT
    assert config == compose.load([f"experiment={configs.DEFAULT_EXPERIMENT}"])


LINES = (
    ["experiment=gpt_shakespeare", "optim=sgd", "optim.lr=0.5", "model.dropout=null"],
    ["model=llama", "data=text", "task=causal_lm", "model.mixture={experts: 4, inner: 8}"],
    ["experiment=gan_digits", "optim.rates.discriminator=0.5", "expect.x='> 1'"],
    ["experiment=clip_glyphs", "model.image=vit", "model.image.width=8"],
    ["data.augment={shift: 3}", "optim.betas=[0.5,0.9]", "name='a, b'"],
)


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_settings_of_choices_composed_before_are_what_hydra_composes(line, monkeypatch):
    remembered = [compose.load(line) for _ in range(2)]

    def forgets(overrides):
        raise HydraException

    monkeypatch.setattr(compose, "_from_base", forgets)
    assert remembered == [compose.load(line)] * 2


def test_a_file_that_is_written_anew_is_read_anew(experiment):
    for rate in (0.5, 0.25):
        experiment("mine", f"optim: {{lr: {rate}}}")
        assert compose.load(["experiment=mine"]).optim["lr"] == rate


def test_a_group_choice_alone_is_not_the_default_experiment():
    config = compose.load(["model=mlp", "data=rain"])
    assert config.experiment is None and config.expect == {}
    assert config.name == "mlp_rain_plain" and config.model["name"] == "mlp"
    assert compose.load(["model=mlp", "data=csv"]).name == "mlp_csv"
    assert compose.load(["task=classification"]).name == "cnn_digits_plain"


@pytest.mark.parametrize("choice", ["optim=sgd", "schedule=constant", "trainer=debug"])
def test_another_optimizer_schedule_or_trainer_keeps_the_default_experiment(choice):
    config, recipe = compose.load([choice]), compose.load([])
    group = choice.partition("=")[0]
    assert config == compose.load([f"experiment={configs.DEFAULT_EXPERIMENT}", choice])
    assert config.name == config.experiment == configs.DEFAULT_EXPERIMENT
    assert (config.model, config.data, config.task) == (recipe.model, recipe.data, recipe.task)
    assert getattr(config, group) == getattr(compose.load(["model=cnn", choice]), group)


def test_values_alone_change_the_default_experiment():
    config = compose.load(["optim.lr=3e-3", "model.width=8"])
    assert config.experiment == configs.DEFAULT_EXPERIMENT
    assert config.optim["lr"] == 3e-3 and config.model["width"] == 8
    assert config.expect  # promised, and to be missed


def test_no_experiment_at_all():
    config = compose.load(["experiment=null", "model=mlp"])
    assert config.experiment is None and config.model["name"] == "mlp"


def test_a_typed_group_drops_what_the_experiment_says_in_it(experiment):
    experiment(
        "wide",
        "defaults: [{override /model: mlp}, {override /optim: sgd}]\n"
        "model: {width: 999, depth: 7}\noptim: {lr: 0.7}\n"
        "expect: {test/accuracy: '>= 0.5'}\n",
    )
    whole = compose.load(["experiment=wide"])
    assert whole.model["width"] == 999 and whole.optim["lr"] == 0.7 and whole.expect

    other = compose.load(["experiment=wide", "model=cnn"])
    assert other.model["name"] == "cnn" and other.model["width"] == 32
    assert other.optim == whole.optim and other.expect == {}

    retyped = compose.load(["experiment=wide", "model=mlp", "model.depth=3"])
    assert (retyped.model["width"], retyped.model["depth"]) == (128, 3)

    faster = compose.load(["experiment=wide", "optim=adamw"])
    assert faster.optim["lr"] == 1e-3 and faster.model["width"] == 999 and faster.expect


def test_a_model_that_is_a_part_of_another_is_chosen_as_a_group_is(experiment):
    plain = compose.load(["model=clip", "model.image=vit", "model.image.depth=3"])
    assert plain.model["image"] == compose.load(["model=vit", "model.depth=3"]).model
    assert plain.model["text"] == compose.load(["model=rnn"]).model
    experiment(
        "pair",
        "defaults: [{override /model: clip}, {override /model@model.text: bert}]\n"
        "model: {width: 9, image: {width: 999, stages: 5}, text: {depth: 7}}\n"
        "expect: {test/loss: '<= 9'}\n",
    )
    whole = compose.load(["experiment=pair"])
    assert whole.model["image"]["stages"] == 5 and whole.model["text"]["depth"] == 7
    assert whole.model["text"]["name"] == "bert" and whole.expect
    other = compose.load(["experiment=pair", "model.image=vit", "model.image.depth=2"])
    assert other.model["image"] == compose.load(["model=vit", "model.depth=2"]).model
    assert other.model["text"] == whole.model["text"] and other.model["width"] == 9
    assert other.expect == {} and other.experiment == "pair"


def test_the_command_line_wins_over_the_experiment(experiment):
    experiment("deep", "defaults: [{override /model: mlp}]\nmodel: {depth: 7}\nseed: 5\n")
    config = compose.load(["experiment=deep", "model.depth=1", "seed=2"])
    assert config.model["depth"] == 1 and config.seed == 2


def test_a_config_of_plain_values_that_yaml_repeats():
    config = compose.load(["model=mlp", "name=${model.name}_${seed}", "seed=4"])
    assert config.name == "mlp_4"
    assert RunConfig.from_dict(yaml.safe_load(yaml.safe_dump(config.to_dict()))) == config


def test_experiments_that_use_a_choice():
    assert configs.DEFAULT_EXPERIMENT in configs.experiments_with("model", "cnn")
    assert configs.experiments_with("model", "cn") == []


# -------------------------------------------------------------------------- what is refused

MISTAKES = {
    "modle=mlp": "unknown key 'modle'; did you mean 'model'?",
    "model=mlpp": "unknown choice for model: 'mlpp'; did you mean 'mlp'?",
    "model=mlp_rain": "; there is experiment=mlp_rain",
    "experiment=gan": "; there is model=gan and task=gan",
    "optim.learning_rate=1": "unknown key 'optim.learning_rate'; did you mean 'optim.lr'?",
    "epochs=3": "unknown key 'epochs'; did you mean 'trainer.max_epochs'?",
    "model=[mlp,cnn]": "unknown choice for model: '[mlp,cnn]' (one of: ",
    "model=1.5": "unknown choice for model: '1.5' (one of: ",
    "experiment=[1,2]": "unknown choice for experiment: '[1,2]' (one of: ",
    "experiment={a: 1}": "unknown choice for experiment: '{a: 1}' (one of: ",
    "experiment=cnn_digit": "experiment: 'cnn_digit'; did you mean 'cnn_digits'?",
    "model=null": "unknown choice for model: 'null'",
    "model=1": "unknown choice for model: '1' (one of: bert, ",
    "model=": "unknown choice for model: ''",
    "model@model.image=cnn": "unknown key 'model.image'",
    "model.image=vit": "unknown key 'model.image' (model: ",
    "model.widht=3": "unknown key 'model.widht'; did you mean 'model.width'?",
    "widht=3": "did you mean 'model.width'?",
    "lr=3": "did you mean 'optim.lr'?",
    "max_steps=3": "did you mean 'trainer.max_steps'?",
    "optin.lr=1": "did you mean 'optim.lr'?",
    "schedul.name=cosine": "did you mean 'schedule.name'?",
    "zzz=3": "unknown key 'zzz' (top level: ",
    "model.zzz=3": "unknown key 'model.zzz' (model: activation, ",
    "+model.widht=3": "did you mean 'model.width'?",
    "++model.zzz=3": "unknown key 'model.zzz' (model: activation, ",
    "+zzz=3": "unknown key 'zzz'",
    "+zzz.yyy=3": "unknown key 'zzz'",
    "data.augment.shft=3": "did you mean 'data.augment.shift'?",
    "data.augment={shft: 3}": "did you mean 'data.augment.shift'?",
    "data.augment=3": "data.augment: got 3 (int), expected keys: shift",
    "data.augment=null": "data.augment: got null, expected keys: shift",
    "model={a: b}": "expected one of its names; set model.a=...",
    "model@foo=mlp": "unknown key 'model@foo'",
    "optim.lr.x=3": "unknown key 'optim.lr.x'",
    "optim.betas.x=3": "x",
    "~model": "cannot delete '~model'",
    "~seed": "cannot delete '~seed'",
    "optim.lr": "cannot read 'optim.lr': expected key=value",
    "data=[a": "cannot read 'data=[a'",
    "'a": "cannot read",
    "model=mlp,cnn": "a sweep needs -m",
    "optim.lr=1,2": "a sweep needs -m",
    "seed=${nope}": "seed: Interpolation key 'nope' not found",
    "seed=x": "seed: got 'x' (str), expected int",
    "seed=1.5": "seed: got 1.5 (float), expected int",
    "seed=null": "seed: got null, expected int",
    "seed=???": "seed",
    "plugins=x": "plugins: got 'x' (str), expected a list of str",
    "output_dir=null": "output_dir: got null, expected str",
    "expect=3": "expect: got 3 (int)",
    "expect=null": "expect: got null",
    "name=a/b": "expected the name of one folder",
    "name=..": "expected the name of one folder",
    "name=a\nb": "name: got 'a\\nb', expected the name of one folder",
    "name=a\x1b[2J": "expected the name of one folder",
    "name=a\u202eb": "expected the name of one folder",
    f"name={'é' * 128}": "expected the name of one folder",
    "name=''": "expected the name of one folder",
    "trainer.max_steps=many": "trainer.max_steps: got 'many' (str), expected int or null",
    "trainer.max_steps=1.5": "expected int or null",
    "trainer.precision=fp8": "expected one of auto, fp32, bf16, fp16",
    "trainer.compile=1": "trainer.compile: got 1 (int), expected bool",
    "trainer.zzz=3": "unknown key 'trainer.zzz' (trainer: accumulate, ",
    "data.batch_size=1e3": "data.batch_size: got 1000.0 (float), expected int",
    "data.val_fraction=x": "data.val_fraction: got 'x' (str), expected float",
    "optim.lr=fast": "optim.lr: got 'fast' (str), expected float",
    "+model._target_=os.system": "model._target_ is refused: a config names things, it runs",
    "+_target_=os.system": "_target_ is refused",
    "hydra.foo=1": "hydra.foo",
    "model=mlp.yaml": "unknown choice for model: 'mlp.yaml'",
    "experiment=../experiment/mlp_rain": "unknown choice for experiment",
    f"model={'m' * 999}": "unknown choice for model",
    f"{'é' * 200}=1": "unknown key",
    f"model={'[' * 999}{']' * 999}": "nested too deep",
    f"model.width={'[' * 2000}": "model.width: got '[[",
    "=5": "cannot read '=5': expected key=value",
    "+model.width=5": "model.width has a value that is replaced without '+'",
    "+experiment=mlp_rain": "experiment has a value that is replaced without '+'",
    "init.from=": "init.from= names nothing",
    "teacher.from=": "teacher.from= names nothing",
    "output_dir=": "output_dir= names nothing",
}  # fmt: skip


@pytest.mark.parametrize("override", MISTAKES)
def test_a_mistake_is_one_line(override):
    assert MISTAKES[override] in said(override)


def test_several_mistakes_are_reported_at_once():
    line = said("trainer.max_steps=x", "seed=y", "trainer.clip=z")
    assert all(name in line for name in ("trainer.max_steps", "seed", "trainer.clip"))


def test_the_hint_knows_the_chosen_groups():
    assert "did you mean 'model.depth'?" in said("model=mlp", "model.dpth=3")
    assert "did you mean 'optim.nesterov'?" in said("optim=sgd", "optim.nestrov=false")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: {widht: 3}", ["'model.widht' in experiment=odd", "did you mean 'model.width'?"]),
        ("optim: {lr: 1, wieght_decay: 0}", ["'optim.wieght_decay' in experiment=odd"]),
        ("trainer: {max_step: 5}", ["did you mean 'trainer.max_steps'?"]),
        ("trainer: {max_steps: five}", ["trainer.max_steps: got 'five' (str), expected int"]),
        ("sed: 3", ["'sed' in experiment=odd", "did you mean 'seed'?"]),
        ("model: 3", ["model"]),
        ("model: {_target_: os.system}", ["model._target_ is refused"]),
        ("data: {augment: {filp: true}}", ["did you mean 'data.augment.flip'?"]),
        ("defaults: [{override /modle: mlp}]", ["modle"]),
        ("defaults: [{override /model: mlpp}]", ["mlpp", "did you mean 'mlp'?"]),
        ("model: {width: [1", ["not valid YAML"]),
        ("expect: 3", ["expect"]),
    ],
)
def test_a_mistake_inside_an_experiment_file(experiment, text, words):
    experiment("odd", text)
    line = said("experiment=odd")
    assert all(word in line for word in words), line


# ------------------------------------------------------------------------------------ typos


def keys(config):
    return configs.leaves(config.to_dict(without_defaults=False))


def typo(word, rng):
    """One letter dropped, added, replaced, or two exchanged."""
    k, letter = rng.randrange(len(word)), rng.choice(string.ascii_lowercase)
    kinds = [word[:k] + word[k + 1 :], word[:k] + letter + word[k:]]
    kinds.append(word[:k] + letter + word[k + 1 :])
    if k:
        kinds.append(word[: k - 1] + word[k] + word[k - 1] + word[k + 1 :])
    return rng.choice(kinds)


def test_one_letter_typos_of_keys_find_the_right_one():
    rng, hits, tries = random.Random(0), 0, 0
    for overrides in ([], ["model=mlp", "data=csv", "optim=sgd", "schedule=plateau"]):
        config = compose.load(overrides)
        valid = [
            *keys(config),
            *configs.GROUPS,
            "experiment",
        ]
        for key in valid * 5:
            if (wrong := typo(key, rng)) not in valid and wrong:
                tries += 1
                hits += f"did you mean '{key}'?" in configs.unknown_key(wrong, valid)
    assert tries > 300 and hits / tries >= 0.97, (hits, tries)


def test_one_letter_typos_of_choices_find_the_right_one():
    rng, hits, tries = random.Random(0), 0, 0
    for group in ("experiment", *configs.GROUPS):
        names = configs.choices(group)
        for name in names * 10:
            if (wrong := typo(name, rng)) not in names and wrong:
                tries += 1
                hits += closest_match(wrong, names) == name
    assert tries > 300 and hits / tries >= 0.95, (hits, tries)


KEYS = [
    *keys(compose.load([])),
    *configs.GROUPS,
    "experiment",
    "hydra.run.dir",
]
WORDS = st.sampled_from(
    [
        "",
        "null",
        "true",
        "3",
        "-1",
        "1e-3",
        "nan",
        "inf",
        "a",
        "[1,2]",
        "{a: 1}",
        "${seed}",
        "'",
        "=",
    ]
)


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(
    key=st.sampled_from(KEYS),
    mark=st.sampled_from(["", "", "", "+", "++", "~"]),
    value=WORDS | st.text(max_size=6),
    seed=st.none() | st.integers(0, 99),
)
def test_anything_typed_is_taken_or_refused_in_one_line(key, mark, value, seed):
    """Whatever is typed gives a config or a UserError, never another exception."""
    key = key if seed is None else typo(key, random.Random(seed))
    try:
        config = compose.load([f"{mark}{key}={value}"])
    except UserError as error:
        assert str(error) and len(str(error).splitlines()) == 1
    else:
        assert RunConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    "overrides",
    [
        ["seed=3", "optim.lr=0.01", "name=x y"],
        ["model=mlp", "model.width=7", "trainer.max_minutes=null"],
        ["optim=adam", "optim.betas=[0.1,0.2]", "init.skip=[a,b]"],
        ["expect={test/accuracy: '>= 0.5'}"],
    ],
    ids=" ".join,
)
def test_trials_are_composed_as_single_runs(overrides):
    """In a sweep they share what they have in common."""
    single = [compose.load(["experiment=mlp_digits", *overrides]) for _ in range(2)]
    with initialize_config_dir(str(configs.CONFIG_DIR), version_base=None):
        trials = [compose.load(["experiment=mlp_digits", *overrides]) for _ in range(2)]
    assert trials == single
