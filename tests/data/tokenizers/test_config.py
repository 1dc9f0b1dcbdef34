"""Settings of a tokenizer: checked at once, kept apart from a tokenizer that is given."""

import pytest

from zoo.data.tokenizers.base import EOT, MASK, PAD
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError


@pytest.mark.parametrize(("option", "value"), [("vocab_size", 1), ("min_count", 0)])
def test_settings_out_of_range(option, value):
    with pytest.raises(UserError, match=f"data.{option}={value}: expected"):
        TokenizerConfig(**{option: value})


def test_special_tokens_come_from_the_data_and_the_settings():
    tokenizer = TokenizerConfig("char", None, mask_token=True).train(["ab"], [EOT])
    assert list(tokenizer.specials) == [EOT, MASK] and tokenizer.vocab_size == 4


def test_a_given_tokenizer_is_used_as_it_is():
    given = TokenizerConfig("char", None).train(["ab"], [EOT])
    config = TokenizerConfig("char", None, given=given)
    assert config.train(["xyz"], [PAD]) is given
    with pytest.raises(UserError, match=r"the tokenizer of init.from has no '\[MASK\]'"):
        config.train(["xyz"], [MASK])


def test_a_run_keeps_its_kind_of_tokenizer():
    run = TokenizerConfig("char", None).train(["ab"])
    TokenizerConfig("char").check_same(run)
    with pytest.raises(UserError, match="data.tokenizer=byte: .* a char tokenizer of 2 tokens"):
        TokenizerConfig("byte").check_same(run)
