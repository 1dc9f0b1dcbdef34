"""Runs in the LM Evaluation Harness: the same figures as by its class for `transformers`, from the
same weights on the same tasks."""

import json

import pytest
import yaml
from exports import exported
from sample_chats import messages

lm_eval = pytest.importorskip("lm_eval")
pytest.importorskip("transformers")

from zoo.commands.harness import main  # noqa: E402
from zoo.commands.harness_model import ZooLM  # noqa: E402

SMALL = (
    "task=causal_lm", "trainer.max_steps=5", "trainer.eval_steps=5", "trainer.precision=fp32",
    "optim.lr=0.02", "data.batch_size=4", "data.block_size=48", "data.tokenizer=bpe",
    "data.vocab_size=320", "model.width=16", "model.depth=1", "model.heads=2",
)  # fmt: skip
LINES = [
    "the statement is true.\nthe state of the art\n", "你好，世界 🙂 and Größe\n",
    "pack my box with five dozen jugs.\n",
]  # fmt: skip
ROWS = [  # question, the right choice, a text
    ("the statement is", 0, "the state of the art " * 20),  # longer than the model's context
    ("pack my", 1, "pack my box with five dozen jugs."),
    ("你好，", 2, "世界 and 🙂"),
    ("the state of " * 20, 0, "a b\nthe"),
    ("jugs. ", 1, "x"),
    ("", 1, "is"),
]
TASKS = {
    "choice": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{answer}}",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    },
    "text": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": "byte_perplexity"}],
    },
    "write": {
        "output_type": "generate_until",
        "doc_to_text": "the {{question}}",  # without a token, theirs reads its padding
        "doc_to_target": "{{text}}",
        "generation_kwargs": {
            "until": ["of", "."],
            "max_gen_toks": 12,
            "do_sample": False,
            "top_k": 0,
        },
        "metric_list": [{"metric": "exact_match"}],
    },
}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """A folder of tasks, a YAML file each, on rows of a local file."""
    folder = tmp_path_factory.mktemp("tasks")
    rows = [
        {"question": question, "choices": ["true", "box", "世界 of"], "answer": right, "text": text}
        for question, right, text in ROWS
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = {"data_files": {"test": str(folder / "rows.jsonl")}, "cache_dir": str(folder / "cache")}
    for name, task in TASKS.items():
        common = {"dataset_path": "json", "dataset_kwargs": data, "test_split": "test"}
        content = {"task": f"zoo_{name}"} | common | task
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory, trained):
    folder = tmp_path_factory.mktemp("texts")
    for k in range(4):
        (folder / f"{k}.txt").write_text("".join(LINES[k % 3 :] + LINES) * 20)
    return trained("harness", "model=llama", "data=text", f"data.path={folder}", *SMALL)


def judged(tasks, **model):
    found = lm_eval.simple_evaluate(
        tasks=[f"zoo_{name}" for name in TASKS],
        task_manager=lm_eval.tasks.TaskManager(include_path=str(tasks)),
        bootstrap_iters=0,
        **model,
    )
    answers = {
        (name, sample["doc_id"]): sample["filtered_resps"]
        for name, samples in found["samples"].items()
        for sample in samples
    }
    return found["results"], answers


def test_the_figures_are_those_of_transformers(run, tasks, tmp_path, capsys):
    exported(run, "hf", tmp_path / "hf", capsys)
    # Its cache takes two windows of the same tokens for one, however many of them are scored.
    where = f"pretrained={tmp_path / 'hf'},dtype=float32,logits_cache=False"
    theirs, expected = judged(tasks, model="hf", model_args=where, device="cpu", batch_size=2)
    ours, given = judged(tasks, model="zoo", model_args=f"run={run}", device="cpu", batch_size=4)
    assert given.keys() == expected.keys() and len(given) == len(TASKS) * len(ROWS)
    for key, answers in expected.items():
        for own, other in zip(given[key], answers, strict=True):
            if isinstance(other, str):
                assert own == other, key
            else:  # a sum of log-probabilities, and perhaps whether it is greedy
                assert own == pytest.approx(other, rel=1e-4, abs=1e-4), key
    for name, metrics in theirs.items():
        for metric, value in metrics.items():
            if isinstance(value, float):
                assert ours[name][metric] == pytest.approx(value, rel=1e-3), (name, metric)


def test_the_command_prints_a_table_and_writes_the_results(run, tasks, tmp_path, capsys, refused):
    out = tmp_path / "results.json"
    arguments = [f"run={run}", f"path={tasks}", "tasks=[zoo_choice]", "limit=3", "device=cpu"]
    assert main([*arguments, f"out={out}"]) == 0
    assert "|zoo_choice|" in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["n-samples"]["zoo_choice"]["effective"] == 3
    for more, said in (
        ("tasks=[zoo_choise]", "tasks: the harness knows no zoo_choise; its tasks: lm_eval ls"),
        ("limit=0", "limit=0: expected a whole number from 1 on"),
        ("system=x", "system= belongs to a conversation; add chat=true"),
        ("chat=true", "chat=true: the run was not trained on conversations; leave it out"),
        ("path=nowhere", "there is no such folder"),
    ):
        assert said in refused(main, *arguments, more)


def test_runs_that_continue_no_text_are_refused(rain_run, tasks, refused):
    line = refused(main, f"run={rain_run}", f"path={tasks}", "tasks=[zoo_choice]")
    assert "continues no texts; the harness judges causal language models" in line


def test_questions_are_messages_where_it_is_asked_for(trained, tmp_path):
    """Control tokens come from the template; those that are typed in a message do not."""
    rows = [{"messages": messages("say it", f"it {k}")} for k in range(20)]
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, rows)))
    path = f"data.path={tmp_path / 'chats.jsonl'}"
    model = ZooLM(trained("harness_chat", "model=gpt", "data=sft", path, *SMALL), device="cpu")
    asked = [{"role": "user", "content": "say <|endoftext|>"}]
    text = model.apply_chat_template(asked)
    chat = model.task.chat
    assert model.tok_encode(text) == chat.prompt(asked).tolist()
    assert chat.end_id not in model.tok_encode(text)
    whole = model.tok_encode(model.apply_chat_template([*asked, *messages("", "it")[1:]], False))
    assert chat.end_id in whole and model.chat_template(True) == model.words.chat["source"]
