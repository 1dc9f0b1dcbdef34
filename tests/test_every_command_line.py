"""Whatever is typed is trained, or refused in a line, exit code 2, with nothing left behind.

Random keys, values, groups, nesting and characters; the same 60 command lines each time.
"""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.commands.train import main
from zoo.config import compose
from zoo.config import groups as configs
from zoo.config.declared import declared_type, takes_text
from zoo.runs.settings import format_value

SMALL = ("model=mlp", "data=rain", "data.samples=40", "model.width=4", "trainer=debug")
LAST = ("trainer.max_steps=2", "trainer.device=cpu", "trainer.precision=fp32")
APART = (  # other processes, the network, folders elsewhere
    "trainer.devices", "trainer.compile", "output_dir", "init.from", "teacher.from", "init.adapter",
)  # fmt: skip
DEFAULTS = compose.load(["model=mlp", "data=rain"]).to_dict(without_defaults=False)
LEAVES = {*configs.leaves(DEFAULTS)}
KEYS = sorted(LEAVES - {*APART}) + [
    "resume",
    "data.path",
    "data.target",
    "expect.test/accuracy",
    "sweep.trials",
    "hydra.verbose",
]
LETTERS = st.characters(exclude_characters="\0")  # no command line holds a zero byte
WORDS = st.sampled_from(
    [
        "", "null", "true", "0", "-1", "3", "1e-3", "1e400", "nan", "-inf", "007", "1_0", "[]",
        "[1,2]", "[a,'b c',[d]]", "{}", "{a: 1}", "{a: {b: [1, {c: d}]}}", "${seed}", "${x.y}",
        "${",
        "${oc.env:HOME}", "${hydra:job.name}", "'", '"', "'a b'", "=", "a=b", "a,b", "(", "f(x)",
        "choice(a,b)", "interval(0,1)", "int(3)", "~", "~/x", "~nobody/x", "..", "a/b", "C:\\x\\",
        "photos (1)", "R&D", "é" * 200, "x" * 3000, "你好", "\u202ex", "\x1b[2J", "a\nb", "\t",
        "%s",
        "\ud83d", "#", "!!python/object:os.system", "*x", "&x", "???", "10000000000000000000000",
    ]
)  # fmt: skip
VALUES = WORDS | st.text(LETTERS, max_size=8) | st.integers(-9, 99).map(str) | st.floats().map(str)
OVERRIDES = st.tuples(
    st.sampled_from(["", "", "", "", "+", "++", "~"]), st.sampled_from(KEYS), VALUES
).map(lambda parts: f"{parts[0]}{parts[1]}={parts[2]}")
GROUPS = st.tuples(
    st.sampled_from([*configs.GROUPS, "experiment", "sweep", "hydra/launcher", "data@x"]), WORDS
).map("=".join)
LOOSE = st.text(LETTERS, max_size=12).filter(lambda text: not text.startswith("-"))


def usual(key):
    """Values that the setting may well have."""
    *parents, leaf = key.split(".")
    value = DEFAULTS
    for part in (*parents, leaf):
        value = value[part]
    if takes_text(declared_type(key)) and key not in ("trainer.device", "teacher.checkpoint"):
        return st.text(LETTERS, min_size=1, max_size=12)
    kinds = {bool: st.booleans().map(str), int: st.integers(1, 9).map(str)}
    kinds[float] = st.floats(0.01, 0.9).map(str)
    return kinds.get(type(value), st.just(format_value(value)))


USUAL = st.sampled_from([key for key in KEYS if key in LEAVES]).flatmap(
    lambda key: usual(key).map(lambda value: f"{key}={value}")
)
CHOICES = st.sampled_from(
    [f"{group}={name}" for group in ("optim", "schedule") for name in configs.choices(group)]
)
LINES = (
    st.lists(USUAL | CHOICES, min_size=1, max_size=3)
    | st.lists(OVERRIDES | GROUPS | LOOSE, min_size=1, max_size=3)
    | st.tuples(USUAL, OVERRIDES).map(list)
)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(typed=LINES)
def test_any_command_line(typed, tmp_path_factory, capsys):
    outputs = tmp_path_factory.mktemp("any") / "outputs"
    capsys.readouterr()
    code = main([*SMALL, *typed, *LAST, f"output_dir={outputs}"])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err, typed
    if code == 2:
        lines = printed.err.splitlines()
        assert 1 <= len(lines) <= 5 and lines[-1].startswith("error: "), (typed, printed.err)
        assert max(map(len, lines)) < 3000, typed
        assert not list(outputs.rglob("*")), typed
    else:
        assert code in (0, 1), (typed, code)  # 1: a loss that is not finite
        assert code == 1 or "trained 2 steps" in printed.out, (typed, printed.out)
