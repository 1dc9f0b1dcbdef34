"""Free text on a command line is text; what has a meaning in Hydra's grammar keeps it."""

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.compare.command import repeat
from zoo.config import compose
from zoo.config.text import quote, quoted, read, split
from zoo.errors import UserError
from zoo.runs.directory import find_runs
from zoo.runs.records import Record

CSV = ("model=mlp", "data=csv", "task=regression")
TEXTS = [
    "/home/josé/x", "photos (1)", "R&D.csv", "sepal length (cm)", "2024", "5", "true", "007", "1e5",
    "0x1F", "1_000", "nan", "a,b.csv", "a=b.csv", "#1", "log(price)", "int(5)", "[END]", "{a: 1}",
    "~/runs", "a${b", "it's", "o'clock's", "\t", ";", "|", ",", "a\nb", "你好", "価格 (円)",
    "100%", "<x>", '"', "'", "\\", "C:\\new\\", "a:b", "a: b", "!x", "^`~", "x ", " x", "*", "@",
    "$HOME", "-", "--help", "a|b", "[", "]", "[a,b", "{", "(", ")", "\U0001f600", "é" * 80,
]  # fmt: skip


def loaded(key, text):
    return compose.load([*CSV, f"data.{key}={text}"]).data[key]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_setting_takes_what_is_typed(text):
    assert loaded("target", text) == text
    assert read(text, str | None) == text
    (once,) = quoted([f"data.target={text}"])
    assert quoted([once]) == [once], "quoting again changes nothing"


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9))
def test_quoted_text_is_the_text(text):
    assert read(quote(text), str) == text or "${" in text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("null", None), ("'null'", "null"), ("'x y'", "x y"), ('"a, b"', "a, b"), ("", ""),
        ("a\\,b", "a,b"), ("${model.name}_1", "mlp_1"), ("\\${seed}", "${seed}"),
        ("a\\${b", "a${b"),
    ],
)  # fmt: skip
def test_what_the_grammar_gives_a_meaning(typed, meant):
    assert loaded("target", typed) == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("[a,b]", ["a", "b"]), ("[2020, 007,1e5]", ["2020", "007", "1e5"]), ("[]", []),
        ("[sepal (cm),it's,'a, b']", ["sepal (cm)", "it's", "a, b"]), ("null", None),
        ("[[a],(b,c)]", ["[a]", "(b,c)"]),
    ],
)  # fmt: skip
def test_a_list_of_texts(typed, meant):
    assert loaded("columns", typed) == meant
    assert read(typed, list[str] | None) == meant


@pytest.mark.parametrize("typed", ["name=5", "name=true", "name=1e3", "name=[a]", "name=a,b"])
def test_a_name_is_text(typed):
    config = compose.load([typed])
    assert config.name == typed.removeprefix("name=")
    assert compose.load(["name=null"]).name == "cnn_digits"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("optim.lr=(3", "optim.lr: got '(3' (str), expected float"),
        ("seed=é", "seed: got 'é' (str), expected int"),
        ("data.tokenizer=(", "unknown key 'data.tokenizer'"),
        ("zzz=é", "unknown key 'zzz'"),
        ("data.kind=choice(a,b)", "'data.kind=choice(a,b)' is for sweeps; add -m"),
        ("trainer.precision=bf16,fp32", "a sweep needs -m"),
    ],
)
def test_other_settings_are_checked(typed, said):
    with pytest.raises(UserError) as caught:
        compose.load([*CSV, typed])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("data.target=a,b", "data.target=a,b"),
        ("data.target=sepal (cm),b", "data.target='sepal (cm)',b"),
        ("data.target='a, b',c", "data.target='a, b',c"),
        ("data.path=photos (1)", "data.path='photos (1)'"),
        ("name=1,2", "name='1','2'"),
        ("data.columns=[a,b],[c (1)]", "data.columns=[a,b],['c (1)']"),
        ("data.target=choice(a,b)", "data.target=choice(a,b)"),
        ("optim.lr=tag(log,interval(1,2))", "optim.lr=tag(log,interval(1,2))"),
        ("seed=range(1,5)", "seed=range(1,5)"),
        ("model=mlp,cnn", "model=mlp,cnn"),
        ("-m", "-m"),
    ],
)
def test_in_a_sweep_commas_separate_values(typed, meant):
    assert quoted([typed], sweep=True) == [meant]


def test_splitting_leaves_brackets_and_quotes_whole():
    parts = split("a, 'b, c', sepal length (cm), [d,e], it's")
    assert parts == ["a", "'b, c'", "sepal length (cm)", "[d,e]", "it's"]
    assert split(" ") == [] and split("a,,b") == ["a", "", "b"]
    assert split("(,a") == ["(,a"]


def test_a_run_with_odd_names_is_repeated_by_its_own_words(train, table, tmp_path):
    odd = tmp_path / "R&D, josé (1)=$.csv"
    odd.write_text(table.read_text("utf-8").replace("price", '"price (€),\n#1"'), "utf-8")
    words = [*CSV, f"data.path={odd}", "data.target=price (€),\n#1", "name=it's (1)"]
    done = train(*words, "trainer.max_steps=1", "model.width=4")
    assert done.code == 0, done.err
    record = Record.read(done.path)
    assert set(words) <= set(record.overrides)
    again = shlex.split(repeat(record).partition("train.py ")[2])
    data = compose.load(again).data
    assert (data["path"], data["target"]) == (str(odd), "price (€),\n#1")
    assert shlex.quote(f"run={done.path}") in done.out


def test_a_sweep_over_odd_texts(train, table, tmp_path):
    odd = tmp_path / "houses (1).csv"
    odd.write_text(table.read_text("utf-8").replace("area,", "area (m²),"), "utf-8")
    small = ("trainer.max_steps=1", "model.width=4", "sweep.slots=1")
    done = train(*CSV, "-m", f"data.path={odd}", "data.target=area (m²),price", *small)
    assert done.code == 0, done.err
    targets = {Record.read(run).settings["data.target"] for run in find_runs(train.outputs)}
    assert targets == {"area (m²)", "price"}
