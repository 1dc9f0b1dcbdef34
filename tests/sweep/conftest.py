"""Sweeps in processes of their own: they fork, which a process that has computed must not."""

import random

import forked
import killed
import pytest


@pytest.fixture
def sweep(tmp_path):
    """`train.py -m` with these arguments; the exit code, and what it printed."""

    def run(*arguments, main=killed.train):
        log = tmp_path / f"log{random.random()}"
        resumed = any("sweep.resume" in a for a in arguments)
        place = () if resumed else (f"output_dir={tmp_path / 'outputs'}",)
        code = forked.call(log, main, ["-m", *arguments, *place])
        return code, log.read_text()

    def folder():
        (path,) = run.outputs.glob("*/*/sweep.json")
        return path.parent

    run.outputs, run.folder = tmp_path / "outputs", folder
    return run
