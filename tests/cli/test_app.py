"""The command line as a process: imports, usage, closed pipes and interruptions."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest
from paths import ROOT_FOLDER

from bayesmeta.cli.exit_codes import invoke


def python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT_FOLDER)}, **options,
    )  # fmt: skip


HEAVY = ("pymc", "pytensor", "nutpie", "arviz", "matplotlib", "pandas", "xarray", "scipy.stats")

WHAT_WAS_IMPORTED = """
import sys
from bayesmeta.cli.app import main
try:
    main()
finally:
    print("IMPORTED", *(name for name in {names!r} if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["fit", "--help"], ["models"], ["priors"], ["priors", "turner2015"]]
)
def test_help_and_lists_import_nothing_heavy(arguments):
    done = python("-c", WHAT_WAS_IMPORTED.format(names=HEAVY), *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert done.stderr.strip() == "IMPORTED"


def test_help_imports_no_numpy():
    done = python("-c", WHAT_WAS_IMPORTED.format(names=("numpy", "scipy")), "--help")
    assert done.stderr.strip() == "IMPORTED"


def test_compare_needs_no_sampler(death):
    done = python(
        "-c", WHAT_WAS_IMPORTED.format(names=("pymc", "pytensor", "nutpie", "arviz", "matplotlib")), "compare", death
    )
    assert done.returncode == 0, done.stderr
    assert "DerSimonian-Laird" in done.stdout
    assert done.stderr.splitlines()[-1].strip() == "IMPORTED"


def test_a_missing_argument_of_the_module_is_exit_code_2():
    done = python("-m", "bayesmeta", "compare")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "DATA" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_no_error(death):
    shell = f"'{sys.executable}' -m bayesmeta compare '{death}' --format csv | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", shell],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT_FOLDER)},
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize("error", [BrokenPipeError(), KeyboardInterrupt()])
def test_closed_pipes_and_interruptions_have_their_exit_codes(monkeypatch, capsys, error):
    import typer

    application = typer.Typer(pretty_exceptions_enable=False)

    @application.command()
    def stop():
        raise error

    monkeypatch.setattr(sys, "argv", ["bayesmeta"])
    with pytest.raises(SystemExit) as stopped:
        invoke(application)
    assert stopped.value.code == (0 if isinstance(error, BrokenPipeError) else 130)
    assert "Traceback" not in capsys.readouterr().err


def test_version(command):
    code, out, _ = command("--version")
    assert (code, out) == (0, f"bayesmeta {version('bayesmeta')}\n")


def test_ctrl_c_while_the_command_is_loaded_is_one_line():
    code = (
        "import runpy, sys\n"
        "class Interrupts:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "runpy.run_module('bayesmeta', run_name='__main__')\n"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (130, "interrupted before anything was done\n")
