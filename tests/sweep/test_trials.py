"""Which members a command line has."""

from hydra.core.override_parser.overrides_parser import OverridesParser

from zoo.sweep.trials import LONGEST, grid


def members(*words, together=()):
    return grid(OverridesParser.create().parse_overrides(list(words)), together)


def test_a_grid():
    found = members("model.width=4,8", "seed=range(1,4)", "optim=sgd")
    assert [m.name for m in found] == [f"width={w},seed={s}" for w in (4, 8) for s in (1, 2, 3)]
    assert set(found[0].overrides) == {"model.width=4", "seed=1", "optim=sgd"}


def test_lists_side_by_side():
    words = ("model.width=4,8,16", "model.depth=3,2,1", "seed=1,2")
    found = members(*words, together=["model.width", "model.depth"])
    pairs = ((4, 3), (8, 2), (16, 1))
    assert [m.name for m in found] == [
        f"width={w},depth={d},seed={s}" for w, d in pairs for s in (1, 2)
    ]


def test_names_are_those_of_folders():
    found = members("data.path=a/b,c/d", "model.channels=[1,2],[3]")
    assert [m.name for m in found] == [
        f"path={p},channels=_{c}_" for p in ("a_b", "c_d") for c in ("1,2", "3")
    ]
    long = members(f"name={'x' * 200}a,{'x' * 200}b")
    assert len({m.name for m in long}) == 2 and len(long[0].name) == LONGEST


def test_settings_of_one_name_keep_their_groups():
    (found, *_) = members("optim.lr=1,2", "data.lr=3,4")
    assert found.name == "optim.lr=1,data.lr=3"
