"""A user's prompt as the ids that a language model reads."""

from typing import Any

from zoo.errors import UserError


def encode_prompt(
    tokenizer: Any, template: str | None, text: str, context: int | None
) -> list[int]:
    """Ids of a prompt in its template.

    Args:
        tokenizer: Text to ids.
        template: The text around a prompt (`{prompt}`); None for none.
        text: The prompt.
        context: The most tokens that the model reads; None for any number.

    Raises:
        UserError: A character that the tokenizer lacks, a prompt that is too long.
    """
    if template is not None:
        text = template.replace("{prompt}", text)
    try:
        ids: list[int] = tokenizer.encode(text).tolist()
    except UserError as error:
        raise UserError(str(error).replace("the text", "input: the prompt", 1)) from None
    if context is not None and len(ids) > context:
        raise UserError(
            f"input: the prompt has {len(ids)} tokens, and the model's context is "
            f"{context}; leave out its first {len(ids) - context} or more"
        )
    return ids
