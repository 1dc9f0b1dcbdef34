"""Runs as models of the Language Model Evaluation Harness (`lm_eval`), by the name `zoo`.

https://github.com/EleutherAI/lm-evaluation-harness. Texts are cut, and cut off on the left where
they are too long for a model, as its class for `transformers` does it: the same weights get the
same figures there and here.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

import lm_eval.models  # noqa: F401  # its own models, which it registers where there are none yet
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from zoo.errors import UserError
from zoo.inference.generation import Sampling
from zoo.inference.protocols import LanguageModel
from zoo.inference.scoring import score
from zoo.inference.streaming import stream
from zoo.restore import Restored

Ids = list[int]
Scored = tuple[Any, Ids, Ids]  # texts; ids of a beginning and of its continuation
UNLIMITED = 2048  # tokens read at once by a model of any length
LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
MOST = 256  # tokens of an answer, where a task does not say


@register_model("zoo")
class ZooLM(TemplateLM):
    """A run that continues texts.

    Args:
        run: A run directory, or a folder of runs: the newest.
        checkpoint, device, base: As in `zoo.load`.
        plugins: Modules to import first, joined by `+`.
        batch_size: Texts that are generated together; those that are scored share a batch as far as
            memory allows.
        max_batch_size: Not used.

    Raises:
        UserError: No such run; one that continues no texts.
    """

    def __init__(
        self,
        run: str,
        checkpoint: str | int = "best",
        device: str | None = "auto",
        plugins: str = "",
        base: str = "",
        batch_size: int | str | None = 16,
        max_batch_size: int | None = None,
    ) -> None:
        super().__init__()
        from zoo.adapters.lora import fold
        from zoo.restore import restore
        from zoo.runs.find import find_run
        from zoo.tasks.base import context_of
        from zoo.tasks.options import RanksOptions

        path, modules = find_run(str(run)).path, [name for name in plugins.split("+") if name]
        self.restored: Restored = restore(
            path, str(checkpoint), device or "auto", modules, base=base
        )
        fold(self.restored.model)
        task = self.restored.task
        if not isinstance(task, RanksOptions):
            raise UserError(
                f"run={run}: task={self.restored.config.task['name']} continues no texts; the "
                f"harness judges causal language models"
            )
        self.task: RanksOptions = task
        self.words = task.tokenizer
        self.max_length: int = context_of(self.restored.model) or UNLIMITED
        size = str(batch_size)  # or "auto"
        self.batch = int(size) if size.isdecimal() else 16
        self._chats = False  # whether texts come from the chat template

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text or an answer, or else what stands before a text."""
        from zoo.tasks.prompt import first_ids

        return first_ids(self.words, self.task.eot_id)[0]

    @property
    def prefix_token_id(self) -> int:
        """What stands before a text of which nothing is given."""
        begin = self.words.begin_id
        return self.eot_token_id if begin is None else begin

    @property
    def tokenizer_name(self) -> str:
        """What the cache of requests goes by."""
        return json.dumps(self.words.to_json().get("chat"))

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """The source of the template, if it is asked for."""
        return (self.words.chat or {}).get("source") if chat_template else None

    def need_chat(self) -> None:
        """Refuse a run that knows no conversations.

        Raises:
            UserError: It does not.
        """
        if self.task.chat is None:
            raise UserError("chat=true: the run was not trained on conversations; leave it out")

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Messages as a text; control tokens that are typed in a message are none of its own.

        Raises:
            UserError: The run knows no conversations.
        """
        self.need_chat()
        self._chats = True
        text: str = self.task.chat.text(chat_history, add_generation_prompt)
        return text

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **options: Any
    ) -> Ids:
        """Ids of a text, after the token that begins every text of some published models."""
        if self._chats:
            ids: Ids = self.task.chat.encode(string).tolist()
            return ids
        ids = self.words.encode(string).tolist()
        begin = self.words.begin_id if self.task.template is None else None
        return ids if begin is None or add_special_tokens is False else [begin, *ids]

    def _loglikelihood_tokens(
        self, requests: Sequence[Scored], **options: Any
    ) -> list[tuple[float, bool]]:
        """Log-probability of each continuation, and whether greedy decoding would write it."""
        pairs = [self._fitted(before, after) for _, before, after in requests]
        with self.restored.precision.autocast():
            scores = score(self.restored.model, pairs)
        return [(float(one.log_p.double().sum()), one.greedy) for one in scores]

    def _fitted(self, before: Ids, after: Ids) -> tuple[Ids, Ids]:
        if not 0 < len(after) <= self.max_length:
            raise UserError(
                f"a continuation of {len(after)} tokens, and the model's context is "
                f"{self.max_length}; leave the task out"
            )
        return before[-(self.max_length + 1 - len(after)) :], after

    def loglikelihood_rolling(
        self, requests: Sequence[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Log-probability of each whole text, in windows of the model's context."""
        owners, pairs = [], []
        for number, request in enumerate(requests):
            windows = get_rolling_token_windows(
                token_list=self.tok_encode(request.args[0]),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            )
            for window in windows:
                owners.append(number)
                pairs.append((None, *make_disjoint_window(window)))
        sums = [0.0] * len(requests)
        for owner, (log_p, _) in zip(owners, self._loglikelihood_tokens(pairs), strict=True):
            sums[owner] += log_p
        return sums

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """Continuations, each up to the first of the texts that end it."""
        groups: dict[str, list[int]] = {}
        for number, request in enumerate(requests):
            groups.setdefault(json.dumps(request.args[1], sort_keys=True), []).append(number)
        texts = [""] * len(requests)
        for key, members in groups.items():
            options = json.loads(key)
            members.sort(key=lambda number: len(requests[number].args[0]))
            for start in range(0, len(members), self.batch):
                part = members[start : start + self.batch]
                written = self._generate([requests[number].args[0] for number in part], options)
                for number, text in zip(part, written, strict=True):
                    texts[number] = text
        return texts

    def _generate(self, contexts: Iterable[str], options: dict[str, Any]) -> list[str]:
        count = int(next((options[name] for name in LENGTHS if options.get(name)), MOST))
        until = options.get("until") or []
        room = self.max_length - count
        room = room if room > 0 else max(1, self.max_length // 2)  # the rest slides out of view
        prompts = [self.tok_encode(text)[-room:] or [self.prefix_token_id] for text in contexts]
        model = cast(LanguageModel, self.restored.model)
        texts = [""] * len(prompts)
        with torch.no_grad(), self.restored.precision.autocast():
            for row, piece in stream(
                model,
                self.words.decode,
                prompts,
                count,
                _sampling(options),
                [until] if isinstance(until, str) else until,
                self.task.ends,
            ):
                texts[row] += piece
        return texts


def _sampling(options: dict[str, Any]) -> Sampling:
    """How a task wants tokens to be chosen: greedily, unless it says otherwise."""
    temperature = float(options.get("temperature") or 0.0)
    if options.get("do_sample") is False:
        temperature = 0.0
    elif options.get("do_sample") and not temperature:
        temperature = 1.0
    top_k = options.get("top_k") or None  # 0: all tokens, as in transformers
    return Sampling(temperature, top_k, float(options.get("top_p") or 1.0))
