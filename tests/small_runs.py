"""`zoo.train` for pages and notebooks: their own settings, two steps."""

import zoo
from zoo.config import groups as configs

SMALL = {"trainer.max_steps": 2, "trainer.eval_steps": 2, "trainer.device": "cpu"}


def small_runs(monkeypatch, folder):
    """Have `zoo.train` take two steps, in a folder that is the current one."""
    train = zoo.train
    monkeypatch.chdir(folder)

    def small(*settings, **options):
        given = {configs.key_of(setting) for setting in settings} & {"resume"}
        more = [] if given else [f"{key}={value}" for key, value in SMALL.items()]
        return train(*settings, *more, **options)

    monkeypatch.setattr(zoo, "train", small)
