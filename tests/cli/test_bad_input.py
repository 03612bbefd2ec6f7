"""Bad tables, reviews and options: each ends in one message and exit code 2, never in a traceback."""

import re

import pytest
from reviews.test_spec import BAD_REVIEWS
from reviews.test_spec import DATA as REVIEW_DATA
from studies.test_bad_tables import BAD_TABLES


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("content", "expected"), [case[1:] for case in BAD_TABLES], ids=[case[0] for case in BAD_TABLES]
)
def test_a_bad_table_is_one_message_and_exit_code_2(refused, tmp_path, content, expected):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    message = refused("compare", path)
    assert message.startswith(f"error: {path}")
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    ("content", "expected"), [case[1:] for case in BAD_REVIEWS], ids=[case[0] for case in BAD_REVIEWS]
)
def test_a_bad_review_is_one_message_and_leaves_the_old_outputs(refused, tmp_path, content, expected):
    for name, text in REVIEW_DATA.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "review.toml").write_bytes(content)
    out = tmp_path / "out"
    (out / "tables").mkdir(parents=True)
    (out / "review.json").write_text("old")
    (out / "tables" / "main.csv").write_text("old")
    before = tree(out)
    message = refused("run", tmp_path, "--out", out, "--quiet", "--no-figures")
    for part in expected:
        assert part in message
    assert tree(out) == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["compair"], "compair"),
        (["compare"], "DATA"),
        (["compare", "{death}", "--measur", "RR"], "--measur"),
        (["compare", "{death}", "--format", "xlsx"], "xlsx"),
        (["compare", "{death}", "--scale", "log"], "log"),
        (["compare", "{death}", "--level", "many"], "--level"),
        (["compare", "{death}", "--better", "down"], "down"),
        (["fit", "{death}", "--engine", "gibbs"], "gibbs"),
        (["fit", "{death}", "--seed", "one"], "--seed"),
        (["run"], "REVIEW"),
        (["run", "{death}", "--engine", "gibbs"], "gibbs"),
        (["tables"], "OUT"),
        (["compare", "{death}", "{death}"], "death.csv"),
    ],
)
def test_wrong_usage_is_exit_code_2(command, death, arguments, expected):
    code, out, err = command(*(item.format(death=death) for item in arguments))
    assert code == 2
    assert out == ""
    assert "Usage" in err
    # a long path is broken over the lines of the box around the message
    assert expected in re.sub(r"[\s│]", "", err) or expected in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--measure", "RRR"], ("unknown measure 'RRR'", "did you mean 'RR'?")),
        (["--measure", "SMD"], ("SMD cannot be computed from dichotomous data",)),
        (["--where", "outcome"], ("--where takes NAME=VALUE", "'outcome'")),
        (["--where", "=x"], ("--where takes NAME=VALUE",)),
        (["--where", "outcome=x"], ("'outcome'",)),
        (["--where", "study=Nobody"], ("Nobody",)),
        (["--prior", "HalfNormal(0.5)"], ("--prior takes NAME=VALUE",)),
        (["--prior", "sigma=HalfNormal(0.5)"], ("'sigma'", "mu, tau, tau2")),
        (["--prior", "tau=HalfNorml(0.5)"], ("did you mean 'HalfNormal'?",)),
        (["--prior", "tau=HalfNormal"], ("cannot read the prior",)),
        (["--prior", "tau=HalfNormal(-1)"], ("above 0",)),
        (["--prior", "tau=Normal(0, 1)"], ("[0, infinity)",)),
        (["--prior", "tau=HalfNormal(1)", "--prior", "tau2=InvGamma(1, 1)"], ("both tau and tau2",)),
        (["--prior", "mu=Uniform(-1, 1)"], ("engine='nuts'",)),
        (["--prior", "tau=__import__('os').system('true')"], ("cannot read the prior",)),
        (["--level", "95"], ("between 0 and 1", "95")),
        (["--level", "nan"], ("between 0 and 1",)),
        (["--mid", "0.8"], ("better",)),
        (["--better", "lower", "--mid", "1.25"], ("1.25", "lower")),
        (["--better", "lower", "--mid", "-1"], ("a ratio between",)),
    ],
)
def test_compare_refuses_bad_options(refused, death, arguments, expected):
    message = refused("compare", death, *arguments)
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--likelihood", "binomal"], ("did you mean 'binomial'?",)),
        (["--likelihood", "nct"], ("'nct' is for SMD",)),
        (["--engine", "quadrature", "--likelihood", "normal", "--prior", "mu=Uniform(-1, 1)"], ("engine='nuts'",)),
        (["--engine", "quadrature", "--model", "generic_normal"], ("no model files",)),
        (["--engine", "nuts", "--model", "nobody.py"], ("nobody.py",)),
        (["--engine", "nuts", "--model", "generic_norma"], ("did you mean 'generic_normal'?",)),
        (["--engine", "quadrature", "--seed", "-1"], ("seed", "-1")),
        (["--engine", "quadrature", "--prior", "tau=Uniform(2, 1)"], ("low must be below high",)),
    ],
)
def test_fit_refuses_bad_options(refused, death, arguments, expected):
    message = refused("fit", death, *arguments)
    for part in expected:
        assert part in message


def test_missing_files(refused, tmp_path, death):
    assert "death.csv" in refused("compare", tmp_path / "deth.csv")
    assert "a folder, not a file" in refused("fit", tmp_path)
    assert "no such file" in refused("run", tmp_path / "nowhere")
    for name in ("tables", "figures", "report"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        assert "this folder contains no run" in refused(name, tmp_path / "empty")
        assert "this folder contains no run" in refused(name, tmp_path / "nowhere")
        assert "this folder contains no run" in refused(name, death)
