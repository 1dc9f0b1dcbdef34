"""Killed at any moment and resumed, a run ends the same, bit for bit."""

import json
import os
import random
import signal

import forked
import killed
import pytest
from killed import age, curves, differences, ending, set_trap

from zoo.kernels import reference_kernels
from zoo.runs.directory import find_runs
from zoo.training.trainer import Trainer

STEPS = "trainer.max_steps=12 trainer.save_steps=3 trainer.eval_steps=4 trainer.log_steps=2"


BASE = (*STEPS.split(), "trainer.precision=fp32", "trainer.device=cpu", "trainer.save_minutes=null")


RAIN = ("model=mlp", "model.width=8", "data=rain", "data.samples=200", "data.batch_size=24")


TEXT = ("data=text", "data.block_size=8", "data.batch_size=8", "data.val_fraction=0.2")


NUMBERS = ("data=numbers", "data.size=200", "data.batch_size=16", "task=seq2seq", "model.width=8")


SMALL = ("model.width=8", "model.depth=1")


DIGITS = ("model=cnn", "model.width=4", "model.stages=2", "model.blocks=1", "data=digits")


CASES = {
    "mlp, dropout": (*RAIN, "model.dropout=0.3", "schedule=cosine"),
    "cnn, batch norm, augmentation": (*DIGITS, "data.augment.shift=1", "data.batch_size=32"),
    "ema, clip, layer norm, a part of the rows, label noise": (
        *RAIN, "data.train_size=60", "data.label_noise=0.2", "trainer.ema=0.9",
        "trainer.clip=0.5", "model.norm=layer", "optim=adam", "schedule=one_cycle",
    ),
    "plateau, sgd": (
        *RAIN, "schedule=plateau", "schedule.patience=0", "optim=sgd", "optim.lr=1",
        "trainer.eval_steps=2",
    ),
    "accumulate, muon, batch norm": (
        *RAIN, "trainer.accumulate=3", "optim=muon", "model.norm=batch", "trainer.ema=0.5",
        "schedule=wsd",
    ),
    "patience, rmsprop, bf16": (
        # at this rate metrics fluctuate: two in a row fail soon after step 6, on any machine
        *RAIN, "trainer.patience=2", "optim=rmsprop", "optim.lr=0.3", "trainer.eval_steps=2",
        "trainer.precision=bf16", "schedule=constant", "trainer.max_steps=80",
    ),
    "gpt, dropout, muon": (
        "model=gpt", *SMALL, "model.heads=2", "model.dropout=0.2", "task=causal_lm", *TEXT,
        "data.tokenizer=char", "optim=muon",
    ),
    "lstm, dropout": (
        "model=rnn", *SMALL, "model.cell=lstm", "model.dropout=0.2", "task=causal_lm", *TEXT,
        "data.tokenizer=byte",
    ),
    "bert, masks": (
        "model=bert", *SMALL, "model.heads=2", "task=masked_lm", *TEXT, "data.mask_token=true",
        "data.tokenizer=char",
    ),
    "word2vec, noise words": (
        "model=word2vec", "model.width=8", "task=skip_gram", "optim=row_adagrad", *TEXT,
        "data.tokenizer=word", "data.min_count=2", "task.sample=0",
    ),
    "transformer, pairs": (
        "model=transformer", "model.depth=1", "model.heads=2", *NUMBERS, "model.dropout=0.2",
    ),
    "unet, noise, dropout": (
        "model=unet", "model.width=4", "model.depth=1", "model.heads=1", "task=diffusion",
        "data=digits", "data.batch_size=32", "trainer.max_samples=100", "trainer.ema=0.9",
        "task.timesteps=8", "task.steps=2",
    ),
    "gpt, answers that are sampled": (
        "model=gpt", *SMALL, "model.heads=2", "model.dropout=0.2", "data=sums", "data.largest=4",
        "data.operations=+", "data.batch_size=4", "task=reinforce", "task.group=4",
        "task.max_tokens=3",
    ),
    "vae, codes, class": (
        "model=vae", *SMALL, "model.latent=2", "model.conditional=true", "task=elbo",
        "task.conditional=true", "data=digits", "data.batch_size=32", "trainer.max_samples=100",
        "trainer.ema=0.9",
    ),
    "ntm, bits": (
        "model=ntm", "model.width=8", "model.slots=6", "model.slot=4", "task=bits", "data=copy",
        "data.longest=3", "data.size=200", "data.batch_size=16",
    ),
    "rnn_attention, pairs": ("model=rnn_attention", *NUMBERS),
}  # fmt: skip


TRIALS = 2


def overrides(case, outputs, data_root):
    given = [o.split("=")[0] for o in CASES[case]]
    base = [o for o in BASE if o.split("=")[0] not in given]
    root = [f"data.root={data_root}"] if {"data=digits", "data=text"} & set(CASES[case]) else []
    if "data=text" in CASES[case]:
        root.append(f"data.path={some_text(data_root)}")
    return [*CASES[case], *base, *root, f"output_dir={outputs}"]


def some_text(folder):
    """A file of words drawn from a few, the same for all."""
    path = folder / "words.txt"
    if not path.is_file():
        rng = random.Random(0)
        vocabulary = ["the", "a", "cat", "dog", "sat", "on", "mat", "and", "ran", "away", "home"]
        words = [rng.choice(vocabulary) for _ in range(900)]
        whole = path.with_suffix(f".{os.getpid()}")
        whole.write_text(" ".join(words))
        whole.rename(path)
    return path


def trials():
    """Of each case; tasks that are named share most of what is tested."""
    for case, given in CASES.items():
        shares = any(o.startswith("task=") for o in given)
        yield from ((case, trial) for trial in range(1 if shares else TRIALS))


def trap(rng):
    """A random moment: half of them inside a write, where random times hardly ever fall."""
    kind = rng.choice(["step", "step", "fsync", "fsync", "rename", "mkdir", "rmtree", "time"])
    top = {"step": 12, "fsync": 60, "rename": 12, "mkdir": 16, "rmtree": 20, "time": 1}[kind]
    return kind, rng.uniform(0.05, 1) if kind == "time" else rng.randint(1, top)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, data_root):
    """The ending of each case, trained in one go."""
    endings = {}

    def of(case):
        if case not in endings:
            outputs = tmp_path_factory.mktemp("whole")
            log = outputs / "log"
            assert forked.call(log, killed.train, overrides(case, outputs, data_root)) == 0, (
                log.read_text()
            )
            (run,) = find_runs(outputs)
            endings[case] = ending(run), curves(run)
        return endings[case]

    return of


@pytest.mark.parametrize(("case", "trial"), list(trials()))
def test_killed_twice_and_resumed(case, trial, uninterrupted, tmp_path, data_root):
    rng = random.Random(f"{case} {trial}")
    outputs, log = tmp_path / "outputs", tmp_path / "log"
    first = ("step", 5) if trial == 0 else trap(rng)  # after the save of step 3, and a report
    codes, run = [], None
    for when in (first, trap(rng), ()):
        arguments = [f"resume={run}"] if run else overrides(case, outputs, data_root)
        codes.append(forked.call(log, killed.train, arguments, *when))
        run = next(find_runs(outputs), None)  # none yet if it was killed at once
        if run:
            age(run)
    assert codes[-1] == 0 and set(codes) <= {0, -signal.SIGKILL}, log.read_text()
    if trial == 0:
        assert codes[0] == -signal.SIGKILL
    expected, points = uninterrupted(case)
    assert differences(ending(run), expected) == [], (codes, first)
    actual = curves(run)
    timed = ("train/samples_per_second", "train/peak_memory_mb")
    assert actual.keys() - set(timed) == points.keys() - set(timed)
    for tag, steps in actual.items():
        if tag not in timed:
            assert steps == points[tag], tag
            assert all(len(values) == 1 for values in steps.values()), tag


def test_the_cases_cover_what_they_say(uninterrupted):
    """Or the trials above would show nothing."""
    plateau = uninterrupted("plateau, sgd")[0]
    assert plateau["state"]["schedule"]["level"] < 1
    patience = uninterrupted("patience, rmsprop, bf16")[0]
    assert patience["steps"][0] < 80 and patience["state"]["precision"]["name"] == "bf16"
    assert (
        "ema" in uninterrupted("ema, clip, layer norm, a part of the rows, label noise")[0]["last"]
    )
    state = uninterrupted("cnn, batch norm, augmentation")[0]["last"]["model"]
    assert any(name.endswith("running_mean") for name in state)
    for case in CASES:
        whole = uninterrupted(case)[0]
        assert whole["checkpoints"][-1].startswith("last-") and len(whole["checkpoints"]) <= 4
        rows = [json.loads(line) for line in whole["metrics"].splitlines()]
        assert len({(r["step"], r["split"]) for r in rows}) == len(rows)


@pytest.mark.parametrize(
    ("number", "kind", "at"),
    [
        (signal.SIGTERM, "step", 5),
        (signal.SIGTERM, "fsync", 14),
        (signal.SIGTERM, "evaluation", 1),
        (signal.SIGTERM, "evaluation", 3),
        (signal.SIGINT, "evaluation", 4),
        (signal.SIGINT, "step", 1),
        (signal.SIGINT, "step", 12),
        (signal.SIGHUP, "rename", 5),
        (signal.SIGUSR2, "step", 8),
    ],
)
def test_a_signal_stops_within_a_step_and_the_run_resumes(
    number, kind, at, uninterrupted, train, data_root
):
    case = "ema, clip, layer norm, a part of the rows, label noise"
    with set_trap(kind, at, number):
        stopped = train(*overrides(case, train.outputs, data_root))
    assert stopped.code == 128 + number and "Traceback" not in stopped.err
    result = json.loads((stopped.path / "result.json").read_text())
    assert result["status"] == "interrupted" and f"signal {int(number)}" in result["reason"]
    if kind == "step":
        assert result["steps"] <= at + 1
        assert killed.newest(stopped.path, "last").step == result["steps"]
    said = stopped.out.splitlines()
    assert said[-1] == f"resume    python train.py resume={stopped.path}"
    saved = f"checkpoints/{max(p.name for p in (stopped.path / 'checkpoints').glob('last-*'))}"
    name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    where = f"; step {result['steps']} of 12"
    if (kind, at) == ("evaluation", 4):  # that of the test split
        where = " in the final evaluation; all training"
    assert said[-2] == f"stopped by {name}{where} is saved in {saved}"
    assert 'class="badge interrupted"' in (stopped.path / "report.html").read_text()

    resumed = train(f"resume={stopped.path}")
    assert resumed.code == 0, resumed.err
    assert 'class="badge done"' in (stopped.path / "report.html").read_text()
    assert differences(ending(stopped.path), uninterrupted(case)[0]) in ([], ["checkpoints"])


def test_a_second_signal_does_not_hurt(uninterrupted, train, data_root):
    case = "mlp, dropout"
    with set_trap("step", 5, signal.SIGTERM), set_trap("fsync", 20, signal.SIGINT):
        stopped = train(*overrides(case, train.outputs, data_root))
    assert stopped.code == 143
    assert train(f"resume={stopped.path}").code == 0
    assert differences(ending(stopped.path), uninterrupted(case)[0]) in ([], ["checkpoints"])


def test_signals_do_what_they_did_before(train, data_root):
    kept = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    train(*overrides("mlp, dropout", train.outputs, data_root), "trainer.max_steps=1")
    assert kept == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def test_a_damaged_checkpoint_is_skipped_and_the_end_is_the_same(uninterrupted, train, data_root):
    case = "plateau, sgd"
    with set_trap("step", 8, signal.SIGTERM):
        run = train(*overrides(case, train.outputs, data_root)).path
    newest, before = sorted((run / "checkpoints").glob("last-*"), reverse=True)
    weights = newest / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    resumed = train(f"resume={run}")
    assert resumed.code == 0
    assert f"checkpoint {newest} is damaged" in resumed.out and before.exists() is not None
    assert differences(ending(run), uninterrupted(case)[0]) in ([], ["checkpoints"])


def test_only_damaged_checkpoints_stop_with_one_line(train, data_root):
    run = train(*overrides("mlp, dropout", train.outputs, data_root)).path
    for manifest in (run / "checkpoints").glob("last-*/manifest.json"):
        manifest.unlink()
    resumed = train(f"resume={run}")
    assert resumed.code == 2 and resumed.err.count("\n") == 1
    assert "can be trusted" in resumed.err and "start the run again" in resumed.err


def test_no_checkpoint_yet_begins_again(uninterrupted, train, data_root):
    """Killed before the first save: the first metrics are not written twice."""
    case = "mlp, dropout"
    log = train.outputs.parent / "log"
    arguments = [*overrides(case, train.outputs, data_root), "trainer.save_steps=100"]
    assert forked.call(log, killed.train, arguments, "step", 8) == -signal.SIGKILL
    (run,) = find_runs(train.outputs)
    age(run)
    assert train(f"resume={run}").code == 0
    whole, points = uninterrupted(case)
    assert (run / "metrics.jsonl").read_text() == whole["metrics"]
    assert curves(run)["train/loss"] == points["train/loss"]


def test_a_run_that_is_being_trained_is_not_trained_by_another_process(
    uninterrupted, train, data_root, monkeypatch
):
    case, codes, log = "mlp, dropout", [], train.outputs.parent / "log"
    original = Trainer.progress

    def progress(trainer, *args, **kwargs):
        if trainer.step in (4, 8):  # new, and resumed
            resume = [f"resume={trainer.run.path}"]
            codes.append(forked.call(log, killed.train_at_once, resume))
            if trainer.step == 4:
                os.kill(os.getpid(), signal.SIGTERM)
        return original(trainer, *args, **kwargs)

    monkeypatch.setattr(Trainer, "progress", progress)
    run = train(*overrides(case, train.outputs, data_root)).path
    said = f"error: {run}: another process is training this run; wait for its end\n"
    assert codes == [2] and log.read_text() == said
    assert train(f"resume={run}").code == 0
    assert codes == [2, 2] and log.read_text() == said * 2
    assert differences(ending(run), uninterrupted(case)[0]) in ([], ["checkpoints"])


def test_changed_data_is_a_warning(train, data_root, tmp_path):
    table = tmp_path / "t.csv"
    rows = [f"{k * 0.37:.2f},{'xz'[k % 2]}\n" for k in range(80)]
    table.write_text("".join(["a,y\n", *rows]))
    with set_trap("step", 3, signal.SIGTERM):
        run = train("model=mlp", "data=csv", f"data.path={table}", "data.target=y", *BASE).path
    table.write_text("".join(["a,y\n", *rows[:-1], "3.14,z\n"]))
    checkpoint = killed.newest(run, "last")
    assert checkpoint.state["environment"]["threads"] == 1
    resumed = train(f"resume={run}")
    assert resumed.code == 0 and "warning: the data changed since the checkpoint" in resumed.out
    (run / "dataset.json").write_text("null")
    again = train(f"resume={run}")
    assert again.code == 0 and "dataset.json is written anew" in again.out
    assert json.loads((run / "dataset.json").read_text())["encoding"]["kind"] == "table"


def test_a_run_records_its_kernels_and_a_resume_warns_of_another_choice(train):
    with set_trap("step", 3, signal.SIGTERM):
        run = train(*CASES["transformer, pairs"], *BASE).path
    used = json.loads((run / "result.json").read_text())["kernels"]
    assert used["dropout"] == ["dropout_by_bytes"]
    with reference_kernels():
        resumed = train(f"resume={run}")
    assert resumed.code == 0 and "warning: kernels was auto, is reference" in resumed.out
    assert json.loads((run / "result.json").read_text())["kernels"]["dropout"] == ["reference"]
