"""What the demonstration says when it cannot begin."""

from pathlib import Path

from typer.testing import CliRunner

from alma_restore.cli import app


def test_a_directory_with_somebodys_files_is_left_alone_and_that_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    ended = CliRunner().invoke(app, ["demo", "--directory", str(tmp_path)])
    assert (ended.exit_code, "holds files that no demonstration made" in ended.stderr) == (2, True)
    assert "Traceback" not in ended.output
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
