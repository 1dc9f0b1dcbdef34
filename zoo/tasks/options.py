"""Classification by prompting: the likelier of several continuations of a text is the answer.

Brown et al., 2020, https://arxiv.org/abs/2005.14165, section 2.4. The sum of the log-probabilities
of its tokens decides: the probability that the text goes on like this. Their mean, which is shown
too, is no probability of anything: it favours long options whose last tokens follow from the first.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from zoo.errors import UserError
from zoo.inference.scoring import score
from zoo.tasks.base import context_of
from zoo.tasks.prompt import encode_prompt, first_ids

Ids = list[int]
Input = str | list[dict[str, str]]


class RanksOptions:
    """The part of tasks of causal language models that answers a text by one of several options.

    Attributes:
        tokenizer: Ids to text and back.
        template: The text around a prompt, where the data has prompts and responses.
        chat: Messages to ids, where the data has conversations.
        eot_id: The token that ends an answer, or a document, if there is one.
    """

    tokenizer: Any
    template: str | None
    chat: Any
    eot_id: int | None

    @property
    def ends(self) -> set[int]:
        """Ids by which a generated text ends: `eot_id`, and those of published settings."""
        return {*self.tokenizer.ends, *([] if self.eot_id is None else [self.eot_id])}

    def rank(self, model: nn.Module, input: Input, options: list[str]) -> Iterator[dict[str, Any]]:
        """The likeliest option, and how likely each is.

        Args:
            model: The model, in evaluation mode.
            input: The text; of conversations a user's message, or all messages.
            options: Continuations of the text, directly after its last character; where the data
                has answers (responses, an assistant's messages), whole answers, with their end.

        Raises:
            UserError: Fewer than two different options, an empty one; a text that the tokenizer or
                the model refuses.
        """
        if len(set(options)) < max(2, len(options)):
            raise UserError(f"options={options}: expected two different texts or more")
        if not all(options):
            raise UserError(f"options={options}: one is empty; expected texts")
        before, after = self._encode(input, options, context_of(model))
        scores = score(model, [(before, ids) for ids in after])
        sums = torch.stack([one.log_p.double().sum() for one in scores])
        means = [float(one.log_p.double().mean()) for one in scores]
        best = int(sums.argmax())
        shares = sums.softmax(0).tolist()
        yield {
            "option": options[best],
            "probability": shares[best],
            "probabilities": dict(zip(options, shares)),
            "log_probabilities": dict(zip(options, sums.tolist())),
            "means_per_token": dict(zip(options, means)),
        }

    def _encode(
        self, text: Input, options: Sequence[str], context: int | None
    ) -> tuple[Ids, list[Ids]]:
        """Ids of the text, and of each option after it."""
        before = encode_prompt(self.tokenizer, self.template, text, context, self.chat)
        try:
            after = [self._option(text, option) for option in options]
        except UserError as error:
            told = str(error).replace("input: the prompt", "the text")
            raise UserError(told.replace("the text", "options: one", 1)) from None
        if self.chat is None and self.template is None:
            before, after = _part(before, after)
        if len({tuple(ids) for ids in after if ids}) < len(options):
            raise UserError(
                f"options={list(options)}: the tokenizer tells them not apart from each other, or "
                f"one not from nothing; give others"
            )
        before = before or first_ids(self.tokenizer, self.eot_id)
        longest = max(range(len(after)), key=lambda k: len(after[k]))
        tokens = len(before) + len(after[longest])
        if context is not None and tokens - 1 > context:
            raise UserError(
                f"the text with the option '{options[longest]}' has {tokens} tokens, and the "
                f"model's context is {context}; leave out some of it"
            )
        return before, after

    def _option(self, text: Input, option: str) -> Ids:
        """Ids of an answer; of a continuation those of the whole text."""
        if self.chat is not None:
            messages = [{"role": "user", "content": text}] if isinstance(text, str) else text
            answer = {"role": "assistant", "content": option}
            ids: Ids = self.chat.answer([*messages, answer])[1].tolist()
            return ids
        if self.template is not None:
            return self.tokenizer.encode(option).tolist() + [self.eot_id]
        return encode_prompt(self.tokenizer, None, f"{text}{option}", None)


def _part(before: Ids, wholes: Sequence[Ids]) -> tuple[Ids, list[Ids]]:
    """What all texts have in common, and the rest of each: the tokens at the border may be others
    than those of the text alone, and all options must follow the same ones."""
    count = 0
    for tokens in zip(before, *wholes):
        if len(set(tokens)) > 1:
            break
        count += 1
    return before[:count], [whole[count:] for whole in wholes]
