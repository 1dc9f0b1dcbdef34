"""Runnable examples for a model card: an export is used without Zoo, from the folder that holds it.

Each defines `predict(...)`, which takes what `scripts/predict.py` takes and gives what it gives.
"""

from typing import Any

from zoo.weights.usage_image import image_graph, image_pipeline
from zoo.weights.usage_tagger import tagger_graph, tagger_pipeline

GRAPHS = {
    "onnx": """\
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")


def run(**inputs):
    return session.run(None, inputs)[0]
""",
    "torch_export": """\
import torch

graph = torch.export.load("model.pt2").module()


def run(**inputs):
    with torch.no_grad():
        return graph(*map(torch.from_numpy, inputs.values())).numpy()
""",
}
START = """\
import json

import numpy as np
{imports}{graph}
about = json.load(open("preprocessing.json", encoding="utf-8"))
"""
CLASSES = """\
    odds = np.exp(logits - logits.max())
    return dict(zip(about["class_names"], (odds / odds.sum()).tolist()))
"""
LABELS = """\
    return dict(zip(about["label_names"], (1 / (1 + np.exp(-logits))).tolist()))
"""
TABLE = """\

def tfidf(text, words, weights):
    found = re.findall(about["word_pattern"], text.lower())
    values = np.array([found.count(word) * weight for word, weight in zip(words, weights)])
    return list(values / max(np.sqrt((values**2).sum()), 1e-12))


def features(row):
    values = []
    for column in about["columns"]:
        value = row[column["name"]]
        if column["kind"] == "numeric":
            values.append(column["median"] if value is None else float(value))
            values += [float(value is None)] if column["indicator"] else []
        elif column["kind"] == "text":
            values += tfidf(value or "", column["words"], column["weights"])
        else:
            names = column["categories"]  # then any other text, then a missing one
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{column['name']}: {value!r} is no text")
            place = names.index(value) if value in names else len(names) + (not value)
            values += [float(k == place) for k in range(len(names) + 2)]
    return np.array([values])  # (1, D), in the units of the data


def predict(row):
    answer = run(features=features(row))[0]
"""
DATES = """\

def read(row, column):
    reading = column.get("reading", {"source": "", "date": ""})
    value = row[reading["source"] or column["name"]]
    if value is None or not reading["date"]:
        return value
    around = {"y-m": "{}-01", "time": "1970-01-01 {}"}  # dates and times as ISO 8601 writes them
    moment = datetime.fromisoformat(around.get(reading["date"], "{}").format(value))
    begin = datetime(1970, 1, 1, tzinfo=moment.tzinfo and timezone.utc)
    parts = {"elapsed": (moment - begin) / timedelta(days=1), "weekday": moment.weekday()}
    parts["hour"] = moment.hour + moment.minute / 60 + moment.second / 3600
    part = reading["part"]
    return parts[part] if part in parts else getattr(moment, part)  # year, month, day

"""
PLAIN = """\
tokenizer.encode_special_tokens = True  # no text is read as a special token
"""
TOKENS = f"""\
tokenizer = tokenizers.Tokenizer.from_file("tokenizer.json")
{PLAIN}

def encode(text):
    return tokenizer.encode(text).ids


def decode(ids):
    return tokenizer.decode(ids)
"""
WORDS = """\
number = {word: k for k, word in enumerate(about["vocabulary"])}


def encode(text):
    if not text.isascii():
        raise ValueError("this example cuts English text into words; use Zoo for others")
    pieces = [re.findall("[a-z]+", piece.lower()) for piece in text.split("[MASK]")]
    ids = [[number.get(word, 0) for word in piece] for piece in pieces]
    return [k for n, piece in enumerate(ids) for k in [about.get("mask_id")] * (n > 0) + piece]


def decode(ids):
    return " ".join(about["vocabulary"][k] for k in ids)
"""
TEXT = {
    "classification": """\

def predict(text):
    ids = encode(text)[: about["length"]] or [about["pad_id"]]
    logits = run(tokens=np.array([ids]))[0]
""",
    "masked_lm": """\

def predict(text):
    ids = encode(text)
    rows = run(tokens=np.array([ids]))[0]
    blanks = [k for k, token in enumerate(ids) if token == about["mask_id"]]
    return [int(rows[k].argmax()) for k in blanks]  # the likeliest token of each blank
""",
    "causal_lm": """\

def predict(text, max_tokens=20):
    start = encode(about.get("template", "{prompt}").replace("{prompt}", text))
    ids = list(start)
    while len(ids) - len(start) < max_tokens and len(ids) < (about["length"] or np.inf):
        token = int(run(tokens=np.array([ids]))[0, -1].argmax())
        if token == about.get("eot_id"):
            break
        ids.append(token)
    return decode(ids[len(start) :])
""",
    "seq2seq": """\

def predict(text):
    source = np.array([[about["bos_id"], *encode(text.strip()), about["eos_id"]]])
    ids = [about["bos_id"]]
    while len(ids) < about["length"] - 1:  # the end has a place too
        logits = run(source=source, target=np.array([ids]))[0, -1]
        logits[[about["pad_id"], about["bos_id"]]] = -np.inf  # never written
        ids.append(int(logits.argmax()))
        if ids[-1] == about["eos_id"]:
            break
    return decode([k for k in ids[1:] if k != about["eos_id"]])
""",
}
TEXT["reinforce"] = TEXT["causal_lm"]
TEXT["infilling"] = """\

def predict(text):
    source = np.array([[about["bos_id"], *encode(text), about["eos_id"]]])
    ids = [about["bos_id"]]
    while len(ids) <= about["length"]:
        logits = run(source=source, target=np.array([ids]))[0, -1]
        logits[[about["pad_id"], about["bos_id"], about["mask_id"]]] = -np.inf  # never written
        ids.append(int(logits.argmax()))
        if ids[-1] == about["eos_id"]:
            break
    return decode([k for k in ids[1:] if k != about["eos_id"]])
"""
VECTORS = """\

def predict(text):
    return run(tokens=np.array([encode(text)]))[0].tolist()  # a vector for each word
"""
PIPELINES = {
    "text-generation": """\
from transformers import pipeline

pipe = pipeline("text-generation", model=".")


def predict(text):
    return pipe(text, do_sample=False, return_full_text=False)[0]["generated_text"]
""",
    "chat": """\
from transformers import pipeline

pipe = pipeline("text-generation", model=".")


def predict(text):
    message = {"role": "user", "content": text}
    answer = pipe([message], do_sample=False, return_full_text=False)
    return answer[0]["generated_text"]
""",
    "fill-mask": """\
from transformers import pipeline

pipe = pipeline("fill-mask", model=".")


def predict(text):
    answers = pipe(text, top_k=1)
    return [one[0]["token"] if isinstance(one, list) else one["token"] for one in answers]
""",
    "text-classification": """\
from transformers import pipeline

pipe = pipeline("text-classification", model=".", top_k=None, truncation=True)


def predict(text):
    return {row["label"]: row["score"] for row in pipe([text])[0]}
""",
}


def graph_example(form: str, about: dict[str, Any]) -> str:
    """Of a graph.

    Args:
        form: "onnx" or "torch_export".
        about: What `zoo.weights.raw_inputs.describe` gave.
    """
    task = "classification" if "label_names" in about else about["task"]  # of texts, read alike
    imports, body = "", ""
    if "image" in about:
        imports, body = image_graph(about)
    elif "columns" in about:
        has_text = "word_pattern" in about
        imports, body = "import re\n" * has_text, TABLE if has_text else _without_text(TABLE)
        if any(column.get("reading", {}).get("date") for column in about["columns"]):
            imports += "from datetime import datetime, timedelta, timezone\n"
            body = DATES + body.replace('row[column["name"]]', "read(row, column)")
        body += _answer(about)
    elif task == "tagging":
        imports, body = tagger_graph(about)
    elif "vocabulary" in about or task in TEXT:
        words = "vocabulary" in about
        imports = "import re\n" if words else "import tokenizers\n"
        tokens = TOKENS.replace(PLAIN, "") if about.get("markers") else TOKENS
        body = (WORDS if words else tokens) + "\n" + TEXT.get(task, VECTORS)
    else:
        return ""
    body += CLASSES if "class_names" in about else LABELS if "label_names" in about else ""
    return START.format(imports=imports, graph=GRAPHS[form]) + "\n" * body.startswith("\n") + body


def _without_text(example: str) -> str:
    """The example for a table that has no column of free text."""
    start, end = example.index("def tfidf"), example.index("def features")
    text = example.index('        elif column["kind"] == "text"')
    after = example.index("        else:", text)
    return example[:start] + example[end:text] + example[after:]


def _answer(about: dict[str, Any]) -> str:
    """What becomes of the answer for a row of a table."""
    if "class_names" in about or "label_names" in about:
        return "    logits = answer\n"
    if isinstance(about["target"], list):
        return '    return dict(zip(about["target"], answer.tolist()))\n'
    return "    return answer.tolist()\n"


def pipeline_example(task: str, about: dict[str, Any]) -> str:
    """Of a folder for `transformers`."""
    if "image" in about:
        example = image_pipeline(about)
        return example.replace("softmax(0)", "sigmoid()") if "label_names" in about else example
    if "class_names" in about or "label_names" in about:
        return PIPELINES["text-classification"]
    if task == "masked_lm":
        return PIPELINES["fill-mask"]
    if task == "tagging":
        return tagger_pipeline(about)
    return PIPELINES["chat" if "template" in about else "text-generation"]
