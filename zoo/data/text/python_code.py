"""Python source code: whether it is any, and its functions."""

import ast
import warnings


def parse_code(source: str) -> ast.Module | None:
    """The syntax tree of a source, without warnings on its contents; None where it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
