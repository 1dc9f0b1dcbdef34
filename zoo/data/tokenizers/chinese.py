"""Words of Chinese text, which has no spaces: found by `jieba`, which need not be installed."""

import logging
import warnings
from collections.abc import Callable

from zoo.errors import UserError

JIEBA = "jieba"
Cut = Callable[[str], list[str]]


def has_jieba() -> bool:
    """Whether jieba is installed."""
    from importlib.util import find_spec

    return find_spec(JIEBA) is not None


def jieba_cut(need: str) -> Cut:
    """Its function, without the lines that it logs.

    Args:
        need: What needs it, for the message.

    Raises:
        UserError: It is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its regular expressions, in newer Pythons
            import jieba
    except ImportError:
        raise UserError(
            f"{need} jieba, which is not installed: pip install --editable '.[zh]'"
        ) from None
    jieba.setLogLevel(logging.WARNING)
    return jieba.lcut
