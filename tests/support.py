"""What several tests share."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def refused(result, outputs):
    """The one line of a mistake; asserts that it is one line, and that no run was begun."""
    assert result.code == 2, (result.code, result.out, result.err)
    lines = result.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.err
    assert "Traceback" not in result.out + result.err
    left = list(outputs.rglob("*"))
    assert not left, left
    return lines[0].removeprefix("error: ")
