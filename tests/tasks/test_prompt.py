"""A user's prompt as ids."""

import pytest

from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError
from zoo.tasks.prompt import encode_prompt

TOKENIZER = train_tokenizer("char", ["abc:"])


def test_the_prompt_in_its_template():
    assert TOKENIZER.decode(encode_prompt(TOKENIZER, "a:{prompt}:", "bc", 5)) == "a:bc:"
    assert TOKENIZER.decode(encode_prompt(TOKENIZER, None, "bc", None)) == "bc"


def test_what_the_model_cannot_read_is_refused():
    with pytest.raises(UserError, match="input: the prompt has characters"):
        encode_prompt(TOKENIZER, None, "xyz", None)
    with pytest.raises(UserError, match="5 tokens, .* context is 4; leave out its first 1"):
        encode_prompt(TOKENIZER, "a:{prompt}:", "bc", 4)
