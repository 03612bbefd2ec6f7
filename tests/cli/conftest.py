"""Fixtures of the command-line tests: the command itself, and small study tables."""

import sys

import pytest

from bayesmeta.cli import app as cli

DEATH = "study,events_e,n_e,events_c,n_c\nAdams,5,100,9,100\nBaker,12,150,20,150\nClark,0,60,0,60\nDavis,1,60,4,60\n"

ESTIMATES = "outcome,study,yi,sei\nx,A,0.1,0.2\nx,B,-0.3,0.25\ny,A,0.9,0.2\ny,C,0.7,0.3\n"


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command in this process: exit code, standard output, standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["bayesmeta", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return stopped.value.code or 0, out, err

    return call


@pytest.fixture
def refused(command):
    """Run the command, which must end in exit code 2 with one message on standard error alone; return the message."""

    def call(*arguments):
        code, out, err = command(*arguments)
        assert code == 2, (out, err)
        assert out == ""
        assert sum(line.startswith("error: ") for line in err.splitlines()) == 1, err
        return err

    return call


@pytest.fixture
def death(tmp_path):
    path = tmp_path / "death.csv"
    path.write_text(DEATH)
    return path


@pytest.fixture
def estimates(tmp_path):
    path = tmp_path / "estimates.csv"
    path.write_text(ESTIMATES)
    return path
