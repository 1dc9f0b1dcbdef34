"""Rows: a list of dictionaries, and a table in a notebook."""

from zoo.rows import Rows


def test_rows_are_a_list_with_all_columns():
    rows = Rows([{"step": 1, "loss": 0.5}, {"step": 2, "split": "val"}])
    assert rows == [{"step": 1, "loss": 0.5}, {"step": 2, "split": "val"}]
    assert rows.columns == ["step", "loss", "split"] and Rows() == [] and Rows().columns == []


def test_the_table_is_short_and_has_no_code_of_others():
    rows = Rows({"input": "<b>", "value": 1 / 3, "n": k} for k in range(30))
    html = rows._repr_html_()
    assert html.count("<tr>") == 21 and "10 more rows" in html
    assert "&lt;b&gt;" in html and "<b>" not in html and "<td>0.3333</td>" in html
    cell = Rows([{"text": "x" * 99, "none": None}])._repr_html_()
    assert "x" * 60 + "…" in cell and "x" * 61 not in cell and "<td></td>" in cell
    (ranked,) = [Rows([{"p": {"a": 0.1, "b": 0.6, "c": 0.3, "d": 0.0}}])]
    assert "<td>b 60.0%, c 30.0%, a 10.0%</td>" in ranked._repr_html_()
