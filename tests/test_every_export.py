"""Every recipe by every format: used by a process without Zoo, it gives what predict.py gives.

Recipes of one model, task and kind of data count once, and every format that takes the run is used
by the example of its model card.
"""

from types import SimpleNamespace

import pytest
import torch
from exports import GREEDY, exported, predicted, read_by_others
from PIL import Image
from support import recipe
from test_every_experiment import STAND_INS, base_of, photographs, smaller

import zoo
from zoo.commands.export import NO_GRAPH
from zoo.config.groups import experiments
from zoo.registry import DATASETS
from zoo.restore import restore

TEXTS = ["To be, or not to be"]
WIDE = ["a <|endoftext|> of a\nis [MASK] here </s> 你好 🙂"]
TINY = {"width": 16, "depth": 1, "heads": 2, "stages": 2, "embedding": 8, "attention": 8}
STEPS = ("trainer=debug", "trainer.max_steps=2", "trainer.eval_steps=2", "trainer.ema=null")
UNTRACEABLE = (
    # recurrent models have no graph of dynamic length
    "hmm", "mamba", "ntm", "rnn", "rnn_attention",
    "dit", "gan", "unet",  # what is asked for takes many calls, or noise and classes
    "vae",  # it answers with the distributions of codes and of pixels
)  # fmt: skip


def kind_of(config):
    """A recipe's model, task and kind of data."""
    data = (
        "text" if "tokenizer" in config.data else "image" if "augment" in config.data else "table"
    )
    return config.model["name"], config.task["name"], data


def one_of_each():
    """A recipe for each model, task and kind of data."""
    chosen = {}
    for name in experiments():
        config = recipe(name)
        if config.model["name"] == "clip":  # tests/commands/test_matches.py: two inputs, no graph
            continue
        # Nearly untrained, reinforce's start gives all digits the same probability: no answer to
        # compare. Its graph is that of causal_lm; the others are exported as what they predict.
        if config.task["name"] not in ("reinforce", "dpo", "distill"):
            chosen.setdefault(kind_of(config), (name, config))
    return chosen


def tiny(config):
    """Options that make a recipe's model small."""
    model = {k: v for k, v in TINY.items() if config.model.get(k) is not None}
    if config.model["name"] == "resnet":
        model = {"depth": 8, "width": 4}
    elif config.init.from_ or config.teacher.from_:
        model = {}
    return [f"model.{name}={value}" for name, value in model.items()]


def samples(restored, folder):
    """Raw inputs of a run, and what predict.py takes for them."""
    kind = restored.encoding.to_json()["kind"]
    if kind == "image":
        mode, paths = {1: "L", 3: "RGB"}[restored.encoding.channels], []
        for k, size in enumerate([(31, 45), (64, 40)]):
            seed = torch.Generator().manual_seed(k)
            pixels = torch.randint(0, 256, (*size, 3), dtype=torch.uint8, generator=seed)
            image = Image.fromarray(pixels.numpy()).convert(mode).resize((size[0] * 2, size[1]))
            paths.append(str(folder / f"{mode}{k}.png"))
            image.save(paths[-1])
        return paths
    if kind == "table":
        columns = restored.encoding.to_json()["columns"]
        return [
            {
                c["name"]: c["median"] + k * c["std"] / 2 if c["kind"] == "numeric" else "x"
                for c in columns
            }
            for k in (-1, 1)
        ]
    if restored.config.task["name"] in ("skip_gram", "cbow"):
        return restored.encoding.tokenizer.words[:2]
    if kind == "bits":
        return ["01101001 11110000", "00000001"]
    if restored.config.task["name"] == "reinforce":
        return ["3+4=", "1+2="]
    encodes_all = restored.encoding.tokenizer.kind in ("bpe", "byte", "published")
    if kind == "pair":
        return ["dog dog", "你 dog" if encodes_all else "dog"]
    # Hardly trained, a Llama gives two continuations of the wide text the same logit: no answer.
    texts = TEXTS + WIDE * (encodes_all and restored.config.model["name"] != "llama")
    if restored.config.task["name"] in ("masked_lm", "infilling"):
        return [text if "[MASK]" in text else f"{text} [MASK] [MASK]" for text in texts]
    return texts


def same(answer, rows, restored, raw):
    """Whether an example's answer is that of predict.py."""
    if "probabilities" in rows[0] and isinstance(answer, dict):
        wanted = rows[0]["probabilities"]
        return answer.keys() == wanted.keys() and all(
            abs(answer[name] - wanted[name]) < 1e-4 for name in wanted
        )
    if "cosine" in rows[0]:
        tokens = torch.from_numpy(restored.encoding.tokenizer.encode(raw))
        wanted = restored.model.words(tokens)
        return torch.allclose(torch.tensor(answer), wanted, atol=1e-6)
    if "value" in rows[0]:
        return answer == pytest.approx([rows[0]["value"]], rel=1e-4, abs=1e-4)
    if "tag" in rows[0]:
        return answer == [row["tag"] for row in rows]
    if "blank" in rows[0]:
        return [restored.encoding.tokenizer.token(k) for k in answer] == [r["token"] for r in rows]
    return (
        answer.strip()
        == next(rows[0][name] for name in ("text", "output", "answer") if name in rows[0]).strip()
    )


@pytest.fixture(scope="module")
def runs(trained, data_root, tmp_path_factory):
    """A run of each model, task and kind of data, tiny, of a few steps: {recipe: folder}."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, config in one_of_each().values():
            folder, data = tmp_path_factory.mktemp(name), config.data["name"]
            more = photographs(folder) if data == "image_folder" else ()
            if config.init.from_ or config.teacher.from_:
                more += base_of(config, begun(trained), folder)
            entry = DATASETS[data]
            if data in STAND_INS or entry.tests.get("needs") == "download":
                function, stand_in = STAND_INS[data]
                patch.setattr(f"{entry.builder.__module__}.{function}", stand_in)
            root = [f"data.root={data_root}"] if "root" in config.data else []
            small = (*STEPS, *smaller(config), *tiny(config), *root)
            # An example stops at the end of the context, and predict.py goes on.
            small = tuple(option.replace("block_size=32", "block_size=64") for option in small)
            found[name] = trained(name, f"experiment={name}", *small, *more)
    return found


def begun(trained):
    """The fixture `trained` in place of `train`."""

    def run(*overrides):
        return SimpleNamespace(code=0, path=trained("base", *overrides))

    return run


def test_python_predicts_as_the_command_does(runs, tmp_path, capsys):
    """By `zoo.load(run).predict(...)`: one input, and all of them at once."""
    for name, path in runs.items():
        run = zoo.load(path)
        greedy = dict(option.split("=") for option in GREEDY.get(run.config.task["name"], ()))
        options = {
            key: float(value) if "." in value else int(value) for key, value in greedy.items()
        }
        inputs = samples(run._restored, tmp_path)
        rows = []
        for raw in inputs:
            alone = run.predict(raw, **options)
            rows += predicted(path, run.config.task["name"], raw, capsys)
            assert without_name(alone) == without_name(rows[-len(alone) :]), name
        together = without_name(run.predict(inputs, **options))
        assert [row.keys() for row in together] == [row.keys() for row in without_name(rows)]
        for row, other in zip(together, without_name(rows), strict=True):
            for key, value in row.items():
                if key == "class" and tied(other):
                    continue
                assert value == (other[key] if isinstance(value, str | int) else near(other[key]))


def without_name(rows):
    return [{key: value for key, value in row.items() if key != "input"} for row in rows]


def tied(row):
    """Whether two classes are as good as equally probable, as a nearly untrained model has them."""
    second, first = sorted(row["probabilities"].values())[-2:]
    return first - second < 1e-4


def near(value):
    return pytest.approx(value, rel=1e-4, abs=1e-5)


def test_graphs_answer_as_predict_does(runs, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    jobs, expected, wrong, seen = [], [], [], set()
    for name, run in runs.items():
        restored = restore(run)
        model, task = restored.config.model["name"], restored.config.task["name"]
        inputs = samples(restored, tmp_path)
        rows = None
        # The graph that ONNX is written from is that of torch_export: once for each model.
        for form in ("onnx",) if model in seen else ("onnx", "torch_export"):
            out = tmp_path / f"{name}-{form}"
            said = exported(run, form, out, capsys)
            if not out.exists():
                why = f"cannot be exported as a graph: {NO_GRAPH.get(task, [''])[0]}"
                if model not in UNTRACEABLE or why.rstrip(": ") not in said:
                    wrong.append(f"{name} {form}: {said}")
                continue
            seen.add(model)
            jobs.append((out, inputs))
            rows = rows or [predicted(run, task, raw, capsys) for raw in inputs]
            expected.append((restored, rows))
    for (out, inputs), answers, (restored, rows) in zip(
        jobs, read_by_others(jobs, tmp_path), expected
    ):
        if isinstance(answers, str):
            wrong.append(f"{out.name}: {answers}")
        else:
            for raw, answer, row in zip(inputs, answers, rows):
                if not same(answer, row, restored, raw):
                    wrong.append(f"{out.name}: {answer} for {row}")
    assert not wrong, "\n".join(wrong)
    assert len(jobs) >= 20
