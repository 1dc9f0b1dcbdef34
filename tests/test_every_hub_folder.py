"""Folders for `transformers` and PEFT, opened by their own programs in a process without Zoo."""

import json

import pytest
import torch
from exports import exported, predicted, read_by_others
from PIL import Image
from sample_chats import messages
from test_every_experiment import photographs

from zoo.restore import restore

pytest.importorskip("transformers")
pytest.importorskip("peft")

STEPS = (
    "trainer.max_steps=3", "trainer.eval_steps=3", "trainer.precision=fp32", "optim.lr=0.01",
    "data.batch_size=4",
)  # fmt: skip
SIZES = ("model.width=16", "model.depth=2", "model.heads=2")
GPT = ("model=gpt", "task=causal_lm", *SIZES, "data.block_size=48")
MAMBA = ("model=mamba", "task=causal_lm", *SIZES[:2], "data.block_size=48")
DEEPSEEK = (
    "model=deepseek", *GPT[1:], "model.latent=8", "model.head_width=8", "model.rotary_width=4",
    "model.value_width=8", "model.mixture.experts=4", "model.mixture.inner=8",
)  # fmt: skip
AS_LLAMA = (
    "model.positions=rotary", "model.norm=rms", "model.activation=swiglu", "model.init=zero",
    "model.tie=false",
)  # fmt: skip
BERT = ("model=bert", "task=masked_lm", *SIZES, "data.block_size=48", "data.mask_token=true")
BPE = ("data.tokenizer=bpe", "data.vocab_size=320")
CLASSES = ("task=classification", *SIZES, "data.block_size=40", "data=text_csv", *BPE)
ONES = ("data.text=text", "data.target=kind")
PHOTOS = ("model=resnet", "model.depth=18", "model.width=4", "data=image_folder")
LINES = [
    "the statement is true.\nthe state of the art\n", "你好，世界 🙂 and Größe\n",
    "a <|endoftext|> b\n",
    "pack my box with five dozen jugs. [MASK] </s> <pad> ÿ\n",
]  # fmt: skip
TEXTS = [
    "the statement", "你好 🙂\n", "a<|endoftext|> b", "two  [MASK] of\nthe ÿ", " state",
    "<pad></s><s>",
]  # fmt: skip
FEW = ["the statement", "你好\n", "[MASK] of\nthe [MASK]"]
FEWER = (
    "gpt letters",
    "bert letters",
    "chat",
)  # a chat template's special tokens are read in texts
ONE_LINE = "the statement is <|endoftext|> true 你好"

IDS = """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")


def check(inputs):
    ids = [tokenizer(text)["input_ids"] for text in TEXTS]
    padded = tokenizer(TEXTS, padding=tokenizer.pad_token is not None)["input_ids"]
    texts = [tokenizer.decode(row, skip_special_tokens=True) for row in ids]
    special = {k: getattr(tokenizer, k + "_id") for k in tokenizer.special_tokens_map}
    whole = {"size": len(tokenizer), "longest": tokenizer.model_max_length, "special": special}
    return {"ids": ids, "padded": padded, "texts": texts, **whole, **more()}
"""
NO_MORE = "\n\ndef more():\n    return {}\n"
GENERATES = """

def more():
    model = pipe.model
    ends = model.generation_config.eos_token_id
    batch = tokenizer(BATCH, padding=True, return_tensors="pt")
    alone = [tokenizer(text, return_tensors="pt") for text in BATCH]
    together = model.generate(**batch, max_new_tokens=6, do_sample=False)
    one_by_one = [model.generate(**one, max_new_tokens=6, do_sample=False) for one in alone]
    whole = model.generate(**alone[0], do_sample=False)
    return {
        "end": ends,
        "together": [tokenizer.decode(r, skip_special_tokens=True) for r in together],
        "alone": [tokenizer.decode(r[0], skip_special_tokens=True) for r in one_by_one],
        "whole": whole[0].tolist(),
        "vocabulary": model.config.vocab_size,
    }
"""
ADAPTER = """
from peft import AutoPeftModel, PeftModel
import torch, transformers

transformers.logging.set_verbosity_error()


def check(inputs):
    base = getattr(transformers, KIND).from_pretrained(BASE)
    model = PeftModel.from_pretrained(base, ".").eval()
    with torch.no_grad():
        return model(torch.tensor(inputs)).logits.tolist()
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Texts, one text, answers, texts of two classes, photographs."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "texts").mkdir()
    for k in range(6):
        (folder / "texts" / f"{k}.txt").write_text("".join(LINES[k % 4 :] + LINES) * 6)
    (folder / "one.txt").write_text("".join(LINES) * 40)
    pairs = [{"prompt": f"say {k} 好", "response": f"said {k} 🙂"} for k in range(40)]
    (folder / "answers.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    chats = [{"messages": messages(f"say {k} 好", f"said {k} 🙂", "?", f"{k}")} for k in range(40)]
    (folder / "chats.jsonl").write_text("\n".join(map(json.dumps, chats)))
    rows = [f'"{line.strip()} {k}",{"ab"[k % 2]}' for k, line in enumerate(LINES * 10)]
    (folder / "kinds.csv").write_text("text,kind\n" + "\n".join(rows))
    photographs(folder)
    return folder


def cases(files):
    """Runs of every kind that `transformers` has a model for."""
    texts, one = f"data.path={files / 'texts'}", f"data.path={files / 'one.txt'}"
    kinds, photos = f"data.path={files / 'kinds.csv'}", f"data.path={files / 'photos'}"
    answers = f"data.path={files / 'answers.jsonl'}"
    template = 'data.template="<Q> {prompt} \\"好\\"\\n"'
    return {
        "gpt": (*GPT, "data=text", texts, *BPE),
        "gpt bytes": (*GPT, "data=text", one, "data.tokenizer=byte"),
        "gpt letters": (*GPT, "data=text", texts, "data.tokenizer=char", "model.tie=false"),
        "mamba": (*MAMBA, "data=text", texts, *BPE),
        "mamba letters": (*MAMBA, "data=text", texts, "data.tokenizer=char", "model.tie=false"),
        "gpt as llama": (*GPT, *AS_LLAMA, "data=text", texts, *BPE),
        "deepseek": (*DEEPSEEK, "data=text", texts, *BPE),
        "llama": ("model=llama", *GPT[1:], "model.kv_heads=1", "data=text", texts, *BPE),
        "answers": (*GPT, "data=sft", answers, *BPE, template, "data.block_size=96"),
        "chat": (*GPT, "data=sft", f"data.path={files / 'chats.jsonl'}", *BPE),
        "bert": (*BERT, "data=text", texts, *BPE),
        "bert letters": (*BERT, "data=text", one, "data.tokenizer=char"),
        "bert classes": ("model=bert", *CLASSES, *ONES, kinds, "model.pool=first"),
        "gpt classes": ("model=gpt", *CLASSES, *ONES, kinds),
        "photos": (*PHOTOS, photos, "data.size=24"),
        "photos squash": (*PHOTOS, photos, "data.size=24", "data.resize=squash"),
        "grey photos": (*PHOTOS, photos, "data.size=24", "data.channels=1"),
    }


def pictures(folder):
    """Photographs of other shapes than the model's."""
    paths = []
    for k, size in enumerate([(60, 40), (48, 90), (24, 24)]):
        noise = torch.randint(0, 256, (6, 9, 3), dtype=torch.uint8).numpy()
        paths.append(str(folder / f"{k}.png"))
        Image.fromarray(noise).resize(size).save(paths[-1])
    return paths


def job(name, restored, folder):
    """Inputs of a case, and the code that checks it."""
    if "photos" in name:
        return pictures(folder), ""
    texts = FEW if name in FEWER else TEXTS
    code = f"TEXTS, BATCH = {texts!r}, {['the art', 'the statement is']!r}\n{IDS}"
    if restored.config.task["name"] == "masked_lm":
        return [
            "the [MASK] of the",
            "好[MASK] a  [MASK]" if name == "bert" else "好[MASK]",
        ], code + NO_MORE
    if restored.config.task["name"] == "classification":
        return [ONE_LINE, "a", ONE_LINE * 9], code + NO_MORE
    return ["the statement"] if name in FEWER else [ONE_LINE], code + GENERATES


def check_tokens(name, given, restored):
    """Ids, padding and decoding are ours; every special token has its id."""
    own, task = restored.encoding.tokenizer, restored.config.task
    texts = FEW if name in FEWER else TEXTS
    encode = own.encode
    if task["name"] == "masked_lm":
        encode = lambda text: torch.tensor(restored.task.encode(text + "[MASK]")[:-1])  # noqa: E731
    for text, ids, decoded in zip(texts, given["ids"], given["texts"]):
        assert ids == encode(text).tolist(), (name, text, ids)
        if "[MASK]" not in text:
            assert decoded == own.decode(ids) == text, (name, text, decoded)
    assert given["size"] == own.vocab_size
    special = {name.removesuffix("_token"): number for name, number in given["special"].items()}
    for role, token in (("eos", "<|endoftext|>"), ("bos", "<|endoftext|>"), ("mask", "[MASK]")):
        if token in own.specials:
            assert special[role] == own.specials[token], (name, special)
    if own.pad_id is not None:
        assert special["pad"] == own.pad_id
    if "pad" in special:
        longest = max(map(len, given["ids"]))
        assert all(len(row) == longest for row in given["padded"])


def adapters(files, train, runs, folder, capsys):
    """Adapters with parts that were trained anew: run, base, the class that reads it."""
    kinds = (*ONES, f"data.path={files / 'kinds.csv'}")
    texts = ("data=text", f"data.path={files / 'texts'}", "data.tokenizer=char", "model.tie=false")
    head = "init.skip=[head]"
    skipped = "init.skip=[head,transform,transform_norm]"
    for base, kind, overrides in (
        ("gpt letters", "GPT2LMHeadModel", (*GPT, *texts, head)),
        ("gpt", "GPT2ForSequenceClassification", ("model=gpt", *CLASSES, *kinds, head)),
        ("bert", "BertForMaskedLM", (*BERT, "data=text", f"data.path={files / 'texts'}", skipped)),
        (
            "bert",
            "BertForSequenceClassification",
            ("model=bert", "model.pool=first", *CLASSES, *kinds, skipped),
        ),
    ):
        done = train(*STEPS, *overrides, f"init.from={runs[base][0]}", "adapter=lora")
        assert done.code == 0, done.err
        out = folder / f"adapter-{kind}"
        exported(done.path, "peft", out, capsys)
        place = folder / base.replace(" ", "-")
        yield (
            done.path,
            (out, [[1, 5, 7, 9], [3, 3, 8, 2]], f"KIND, BASE = {kind!r}, {str(place)!r}{ADAPTER}"),
        )


def check_answer(name, raw, answer, rows, restored):
    """What a model answers is what predict.py does."""
    if "probabilities" in rows[0] and isinstance(answer, dict):
        # At the border of a crop, Pillow's resize sees the pixels beyond it; theirs are gone.
        near = 2e-3 if "photos" in name and "squash" not in name else 1e-4
        assert answer == pytest.approx(rows[0]["probabilities"], abs=near), (name, raw)
    elif "blank" in rows[0]:
        own = restored.encoding.tokenizer
        assert [own.token(k) for k in answer] == [row["token"] for row in rows], (name, raw)
    else:
        text, longest = rows[0]["text"], min(len(rows[0]["text"]), len(answer))
        assert longest > 0 and text[:longest] == answer[:longest], (name, text, answer)


def check_generation(given, restored):
    """It ends by itself or at the model's last position; a padded batch is as each text alone."""
    assert given["together"] == given["alone"]
    end = restored.encoding.tokenizer.specials.get("<|endoftext|>")
    assert given["end"] == end and max(given["whole"]) < given["vocabulary"]
    if restored.model.context is not None:
        assert len(given["whole"]) == restored.model.context or given["whole"][-1] == end


def test_transformers_and_peft_use_them_as_predict_does(files, train, tmp_path, capsys):
    jobs, runs = [], {}
    for name, overrides in cases(files).items():
        done = train(*STEPS, *overrides)
        assert done.code == 0, done.err
        out = tmp_path / name.replace(" ", "-")
        said = exported(done.path, "hf", out, capsys)
        assert out.exists(), (name, said)
        runs[name] = done.path, restore(done.path)
        jobs.append((out, *job(name, runs[name][1], tmp_path)))
    adapted = list(adapters(files, train, runs, tmp_path, capsys))
    given = read_by_others([*jobs, *(one for _, one in adapted)], tmp_path)
    for (name, (run, restored)), (_, inputs, code), answers in zip(runs.items(), jobs, given):
        assert isinstance(answers, list), f"{name}: {answers}"
        for raw, answer in zip(inputs, answers):
            rows = predicted(run, restored.config.task["name"], raw, capsys)
            check_answer(name, raw, answer, rows, restored)
        if code:
            check_tokens(name, answers[-1], restored)
        if code and "whole" in answers[-1]:
            check_generation(answers[-1], restored)
    for (run, (out, tokens, _)), answers in zip(adapted, given[len(jobs) :]):
        assert isinstance(answers, list), f"{out.name}: {answers}"
        with torch.no_grad():
            wanted = restore(run).model(torch.tensor(tokens))
        torch.testing.assert_close(torch.tensor(answers[-1]), wanted, rtol=1e-4, atol=1e-4)
