"""What was typed, kept with a run."""

from zoo.runs.overrides import join_lines, split_lines


def test_overrides_are_kept_one_a_line_whatever_is_in_them():
    typed = ["a=1", "data.target=price\n(€)", '"b"', "c=x\u2028y\r", "d=é"]
    text = join_lines(typed)
    assert split_lines(text) == typed and len(text.splitlines()) == 5
    assert "\na=1\n" in f"\n{text}" and "\nd=é\n" in text
