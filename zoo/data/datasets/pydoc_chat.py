"""Conversations about the functions of the standard library, made of its docstrings.

    What does json.loads(s, *, cls=None, object_hook=None) do?     Deserialize a document ...
    What is it called?                                             loads
    Where is it?                                                   json

The answer to the first question is the first sentence of the docstring (as in `pydoc_answers`);
those to the others stand in what was said before. Every second conversation begins with the system
message `Answer in capitals.`, and the assistant does.
"""

import ast
from collections.abc import Callable

from zoo.data.chat.messages import CONTENT, ROLE, Message, exchange
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.datasets.pydoc_answers import answers
from zoo.data.datasets.stdlib import version_note
from zoo.data.text.conversations import Conversation, conversation_dataset
from zoo.registry import DATASETS

SYSTEM = "Answer in capitals."
FOLLOWS = 2  # questions after the first


@DATASETS.register("pydoc_chat", uses=("tokenizer",), tiny={"block_size": 200})
def pydoc_chat(
    context: DataContext,
    block_size: int,
    chat_template: str | None = None,
    pack: bool = False,
) -> Dataset:
    """Three questions a conversation, the second and third about what the first one said."""
    conversations = [conversation(k, *pair) for k, pair in enumerate(answers())]
    dataset = conversation_dataset(
        "pydoc_chat", conversations, context, block_size, chat_template, pack
    )
    dataset.notes.append(version_note())
    return dataset


def conversation(number: int, signature: str, answer: str) -> Conversation:
    """What is said of one function; the number decides which questions, and how."""
    messages = exchange(f"What does {signature} do?", answer)
    kinds = list(QUESTIONS.items())
    for k in range(FOLLOWS):
        question, reply = kinds[(number // 2 + k) % len(kinds)]
        messages += exchange(question, reply(signature))
    return Conversation(_in_capitals(messages) if number % 2 else messages)


def _in_capitals(messages: list[Message]) -> list[Message]:
    system = {ROLE: "system", CONTENT: SYSTEM}
    loud = (m | {CONTENT: m[CONTENT].upper()} if m[ROLE] == "assistant" else m for m in messages)
    return [system, *loud]


def _path(signature: str) -> list[str]:
    return signature.split("(")[0].split(".")


def _arguments(signature: str) -> str:
    """Names of the arguments, without stars and defaults."""
    name, bracket, rest = signature.partition("(")
    if not bracket:
        return "I do not know."  # a class: its docstring is of what it makes
    function = ast.parse(f"def f({rest}: pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    given = function.args
    every = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return ", ".join(argument.arg for argument in every if argument) or "None."


QUESTIONS: dict[str, Callable[[str], str]] = {
    "What is it called?": lambda signature: _path(signature)[-1],
    "Where is it?": lambda signature: ".".join(_path(signature)[:-1]),
    "Which arguments does it take?": _arguments,
}
"""What may be asked after the first question, and the answer by the signature."""
