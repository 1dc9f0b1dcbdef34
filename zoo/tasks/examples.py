"""Example data of each task, for the tests that try every model that is registered for it.

A task names its function here, or one in its own file, as `@TASKS.register(..., example=)`.
Shapes: N samples, T tokens, V vocabulary, K classes, O outputs.
"""

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

SAMPLES = 12  # N
MakeTokenizer = Callable[..., Any]
"""`zoo.data.tokenizers.registry.train_tokenizer`: a kind, texts and `specials=` to a tokenizer.
The caller passes it in: tasks import nothing of `zoo.data`."""


def only_input(batch: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments of a model that takes `input` alone."""
    return (batch["input"],)


@dataclass(frozen=True)
class TaskExample:
    """A small data set in memory that a small network can memorise.

    Attributes:
        facts: Facts of a dataset: the task's constructor arguments.
        batch: Tensors by name, or nested dictionaries, tuples and lists of them, N samples in each.
        inputs: The batch to the positional arguments of the model.
        output_shape: Shape of what the model returns for one sample, of the same structure as its
            output; None where the task does not fix it.
    """

    facts: dict[str, Any]
    batch: dict[str, Any]
    inputs: Callable[[Mapping[str, Any]], tuple[Any, ...]] = only_input
    output_shape: Any = None


Tiny = Mapping[str, Any]
"""The arguments that a model is registered with: `@MODELS.register(..., tiny=)`."""


def classification(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Random inputs; every class occurs among the targets."""
    classes = tiny.get("num_classes") or tiny["num_outputs"]
    facts = {
        "num_classes": classes,
        "class_names": [str(k) for k in range(classes)],
        "class_counts": [SAMPLES] * classes,
    }
    target = torch.arange(SAMPLES) % classes
    batch = {"input": torch.randn(SAMPLES, *tiny["input_shape"]), "target": target}
    return TaskExample(facts, batch, output_shape=(classes,))


def regression(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Random inputs and targets."""
    outputs = tiny["num_outputs"]
    facts = {"target_mean": 3.0, "target_std": 2.0, "num_outputs": outputs}
    inputs = torch.randn(SAMPLES, *tiny["input_shape"])
    batch = {"input": inputs, "target": torch.randn(SAMPLES, outputs)}
    return TaskExample(facts, batch, output_shape=(outputs,))


def multi_label(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Random inputs; each label is on some samples, and some samples have none or all."""
    labels = tiny.get("num_classes") or tiny["num_outputs"]
    target = (torch.arange(SAMPLES)[:, None] >> torch.arange(labels)) % 2  # (N, K)
    facts = {
        "label_names": [str(k) for k in range(labels)],
        "label_counts": target.sum(0).tolist(),
        "num_samples": SAMPLES,
    }
    batch = {"input": torch.randn(SAMPLES, *tiny["input_shape"]), "target": target.float()}
    return TaskExample(facts, batch, output_shape=(labels,))


def diffusion(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """One picture of each class, so that the class tells what the noise hides."""
    classes, shape = tiny["num_classes"], tuple(tiny["input_shape"])
    facts = {
        "input_shape": shape,
        "pixel_mean": [0.5] * shape[0],
        "pixel_std": [0.5] * shape[0],
        "class_names": [str(k) for k in range(classes)],
        "drop_class": 0.0,
    }
    target = torch.arange(SAMPLES) % classes
    pictures = torch.randint(2, (classes, *shape)) * 2.0 - 1
    batch = {"input": pictures[target], "target": target}
    return TaskExample(facts, batch, _noised, shape)


def causal_lm(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Each sample repeats one token, so each token determines the next."""
    size, length = tiny["vocab_size"], tiny.get("block_size", 8)
    tokenizer = make_tokenizer("char", [string.ascii_lowercase[:size]])
    facts = {"tokenizer": tokenizer, "token_bytes": tokenizer.token_bytes(), "eot_id": None}
    tokens = (torch.arange(SAMPLES) % size)[:, None].repeat(1, length + 1)  # (N, T + 1)
    return TaskExample(facts, {"input": tokens}, _without_last, (length, size))


def bits(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Random bits, each vector of which is asked for one step later."""
    width, outputs, steps = tiny["input_width"], tiny["num_outputs"], 4
    shown = torch.randint(0, 2, (SAMPLES, steps, width)).float()
    scored = torch.ones(SAMPLES, steps, dtype=torch.bool)
    scored[:, 0] = scored[::2, -1] = False
    target = shown.roll(1, 1)[..., :outputs]
    batch = {"input": shown, "target": target, "scored": scored}
    return TaskExample({}, batch, output_shape=(steps, outputs))


def reinforce(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Prompts of one letter; right is an answer that begins with one at an even distance of it, so
    that a random policy is right half of the time."""
    size = tiny["vocab_size"] - 1
    tokenizer = make_tokenizer("char", [string.ascii_lowercase[:size]], specials=["<|endoftext|>"])
    facts = {"tokenizer": tokenizer, "eot_id": 0, "verifier": _even_distance, "max_tokens": 2}
    prompt = 1 + torch.arange(SAMPLES) % size
    rows = torch.stack([prompt, prompt, torch.zeros_like(prompt)], 1)  # (N, 3)
    batch = {"input": rows, "scored": torch.ones(SAMPLES, 2, dtype=torch.bool)}
    return TaskExample(facts, batch, _without_last, (2, size + 1))


def _even_distance(prompt: str, answer: str) -> float:
    return float(answer != "" and (ord(answer[0]) - ord(prompt)) % 2 == 0)


def masked_lm(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Each sample repeats one token, so the visible tokens determine the masked ones."""
    size, length = tiny["vocab_size"], tiny["block_size"]
    tokenizer = make_tokenizer("char", [string.ascii_lowercase[: size - 1]], specials=["[MASK]"])
    facts = {"tokenizer": tokenizer, "vocab_size": size, "mask_id": 0}
    tokens = (1 + torch.arange(SAMPLES) % (size - 1))[:, None].repeat(1, length + 1)  # (N, T + 1)
    return TaskExample(facts, {"input": tokens}, _without_last, (length, size))


def tagging(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Sentences of several lengths, one of one word; each word has one tag, two have no tag."""
    size, classes, length = tiny["vocab_size"], tiny["num_tags"], tiny.get("block_size", 8)
    tokenizer = make_tokenizer("char", [string.ascii_lowercase[: size - 1]], specials=["<pad>"])
    lengths = torch.arange(SAMPLES) % length + 1
    tokens = torch.randint(1, size, (SAMPLES, length))
    tokens[torch.arange(length) >= lengths[:, None]] = 0
    target = (tokens % classes).masked_fill(tokens == 0, -100)
    target[-1, 1:3] = -100
    facts = {
        "vocab_size": size,
        "pad_id": 0,
        "tag_names": [f"tag {k}" for k in range(classes)],
        "tag_counts": [int((target == k).sum()) for k in range(classes)],
        "tokenizer": tokenizer,
        "cut_text": list,
    }
    batch = {"input": tokens, "target": target}
    return TaskExample(facts, batch, output_shape=(length, classes))


def seq2seq(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Random sources of several lengths up to the longest; each is its own target."""
    size, length = tiny["vocab_size"], tiny.get("max_length", 8)
    letters = string.ascii_lowercase[: size - 3]
    tokenizer = make_tokenizer("char", [letters], specials=["<pad>", "<s>", "</s>"])
    facts = {"tokenizer": tokenizer, "pad_id": 0, "bos_id": 1, "eos_id": 2, "max_length": length}
    lengths = torch.arange(SAMPLES) % (length - 3) + 3
    lengths[-1] = length
    rows = torch.randint(3, size, (SAMPLES, length))
    rows[:, 1] = torch.arange(SAMPLES) % (size - 3) + 3  # no two begin alike
    rows[:, 0] = 1
    position = torch.arange(length)
    rows[position == lengths[:, None] - 1] = 2
    rows[position >= lengths[:, None]] = 0
    batch = {"source": rows, "target": rows.clone()}
    return TaskExample(facts, batch, _source_and_prefix, (length - 1, size))


def word_vectors(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Sequences of two words, each the other's only neighbour. The vocabulary is large, so that a
    negative sample is hardly ever the neighbour and the loss can approach zero."""
    size = tiny["vocab_size"]
    letters = string.ascii_lowercase
    words = [first + second for first in letters for second in letters][: size - 1]
    facts = {
        "tokenizer": make_tokenizer("word", [" ".join(words)]),
        "eot_id": None,
        "token_counts": [0] + [1] * (size - 1),
        "window": 1,
        "negatives": 1,
        "sample": 0.0,
    }
    tokens = torch.arange(1, 2 * SAMPLES + 1).view(SAMPLES, 2)
    batch = {"input": torch.cat([tokens, tokens[:, :1]], 1)}  # (N, 3)
    return TaskExample(facts, batch, _without_last, (2, tiny["width"]))


def _noised(batch: Mapping[str, Any]) -> tuple[Any, ...]:
    """Images as they are, as if they were noised, the time of each, and its class."""
    time = torch.linspace(0, 1, len(batch["input"]), dtype=batch["input"].dtype)
    return (batch["input"], time, batch["target"])


def _without_last(batch: Mapping[str, Any]) -> tuple[Any, ...]:
    return (batch["input"][:, :-1],)


def _source_and_prefix(batch: Mapping[str, Any]) -> tuple[Any, ...]:
    return (batch["source"], batch["target"][:, :-1])


def pictures(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Black images with a white bar, at a place by class, standardised."""
    channels, height, width = tiny["input_shape"]
    names = [str(k) for k in range(3)]
    target = torch.arange(SAMPLES) % len(names)
    images = torch.zeros(SAMPLES, channels, height, width)
    for image, k in zip(images, target.tolist()):
        image[:, :, k * width // len(names)] = 1.0
    facts = {
        "input_shape": (channels, height, width),
        "pixel_mean": [0.25] * channels,
        "pixel_std": [0.5] * channels,
        "num_classes": len(names),
        "class_names": names,
    }
    return TaskExample(facts, {"input": (images - 0.25) / 0.5, "target": target})


class Even(torch.nn.Module):
    """A language model, or a classifier, to which all outputs are equally probable.

    Args:
        outputs: How many there are.
        per_token: Whether it says so of each token, or once a sample.
    """

    def __init__(self, outputs: int, per_token: bool) -> None:
        super().__init__()
        self.outputs, self.axes = outputs, 2 if per_token else 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, T) to (N, T, V), or (N, ...) to (N, K)."""
        return torch.zeros(*x.shape[: self.axes], self.outputs, device=x.device)


def preferences(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Prompts of one letter; the better answer repeats it, the worse one is the letter after."""
    size = tiny["vocab_size"] - 1
    tokenizer = make_tokenizer("char", [string.ascii_lowercase[:size]], specials=["<|endoftext|>"])
    facts = {
        "tokenizer": tokenizer,
        "token_bytes": tokenizer.token_bytes(),
        "eot_id": 0,
        "teacher": Even(size + 1, per_token=True),
    }
    prompt = torch.arange(SAMPLES) % size
    answers = torch.stack([prompt, (prompt + 1) % size], 1) + 1  # (N, 2)
    rows = torch.stack([answers[:, :1].expand(-1, 2), answers, torch.zeros_like(answers)], 2)
    batch = {"input": rows, "scored": torch.ones(SAMPLES, 2, 2, dtype=torch.bool)}
    return TaskExample(facts, batch, _chosen_without_last, (2, size + 1))


def _chosen_without_last(batch: Mapping[str, Any]) -> tuple[Any, ...]:
    rows = batch["input"]
    return (rows[:, 0, :-1],)


def distillation(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """The example of `classification`, and a teacher that has no opinion, nor much weight."""
    example = classification(tiny, make_tokenizer)
    teacher = Even(example.facts["num_classes"], per_token=False)
    facts = example.facts | {"teacher": teacher, "labels": 0.9}
    return TaskExample(facts, example.batch, output_shape=example.output_shape)
