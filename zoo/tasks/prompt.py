"""A user's prompt as the ids that a language model reads."""

from typing import Any

from zoo.errors import UserError


def encode_prompt(
    tokenizer: Any,
    template: str | None,
    text: str | list[dict[str, str]],
    context: int | None,
    chat: Any = None,
) -> list[int]:
    """Ids of a prompt in its template, or of messages; without either, of a text after the token
    that begins every text, which some published models need.

    Args:
        tokenizer: Text to ids.
        template: The text around a prompt (`{prompt}`); None for none.
        text: The prompt; or messages, where there is a `chat`.
        context: The most tokens that the model reads; None for any number.
        chat: Messages to ids, up to where an answer begins: a prompt is then a user's message.

    Raises:
        UserError: A character that the tokenizer lacks, a prompt that is too long.
    """
    if template is not None and isinstance(text, str):
        text = template.replace("{prompt}", text)
    try:
        if chat is not None:
            messages = [{"role": "user", "content": text}] if isinstance(text, str) else text
            ids: list[int] = chat.prompt(messages).tolist()
        else:
            begin = getattr(tokenizer, "begin_id", None) if template is None else None
            ids = ([] if begin is None else [begin]) + tokenizer.encode(text).tolist()
    except UserError as error:
        raise UserError(str(error).replace("the text", "input: the prompt", 1)) from None
    if context is not None and len(ids) > context:
        raise UserError(
            f"input: the prompt has {len(ids)} tokens, and the model's context is "
            f"{context}; leave out its first {len(ids) - context} or more"
        )
    return ids


def first_ids(tokenizer: Any, eot_id: int | None) -> list[int]:
    """What stands before a text of which nothing is given yet, one id: the end of another text."""
    if eot_id is not None:
        return [eot_id]
    try:
        return tokenizer.encode("\n").tolist()[:1] or [0]
    except UserError:  # a vocabulary of characters without a newline
        return [0]
