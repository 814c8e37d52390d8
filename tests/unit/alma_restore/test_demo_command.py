"""What the demonstration says when it cannot begin."""

import socket
from pathlib import Path

from typer.testing import CliRunner

from alma_restore.cli import app


def test_a_directory_with_somebodys_files_is_left_alone_and_that_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    ended = CliRunner().invoke(app, ["demo", "--directory", str(tmp_path)])
    assert (ended.exit_code, "holds files that no demonstration made" in ended.stderr) == (2, True)
    assert "Traceback" not in ended.output
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_port_that_is_taken_is_told_before_anything_is_made_or_emptied(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".made-by-alma-restore-demo").touch()
    (tmp_path / "out" / "mails").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = ["demo", "--directory", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
        ended = CliRunner().invoke(app, [*command, "--desk", str(port)])
    assert ended.exit_code == 2
    assert f"port {port} cannot be used: name another one by --desk" in " ".join(ended.stderr.split())
    assert (tmp_path / "out" / "mails").exists()
    assert not (tmp_path / "cache").exists()
