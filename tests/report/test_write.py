"""A report that cannot be written is a warning, and the old one stays."""

from support import write_run

from zoo.report import write


def test_it_is_written_in_the_folder_and_renewed(tmp_path):
    run = write_run(tmp_path / "run", 0.5, 0.5)
    path = write.write_run(run)
    assert path == run / "report.html" and "finished" in path.read_text()
    write_text = (run / "result.json").read_text().replace('"done"', '"interrupted"')
    (run / "result.json").write_text(write_text)
    write.write_run(run)
    assert "interrupted" in path.read_text()


def test_an_error_is_one_line(tmp_path):
    run = write_run(tmp_path / "run", 0.5, 0.5)
    write.write_run(run)
    (run / "result.json").write_text("[]")
    said = []
    assert write.attempt(write.write_run, run, said.append) is None
    assert len(said) == 1 and said[0].startswith("report.html was not written (UserError: ")
    assert "\n" not in said[0] and "finished" in (run / "report.html").read_text()
