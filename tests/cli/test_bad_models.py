"""Bad options and columns of models with moderators, groups and dependent estimates: one message and exit code 2 of every command."""

import pytest

TABLE = """study,yi,sei,dose,setting,trial,outcome,constant,twice,tau,word,gap,own,r
Ada 2001,0.10,0.20,1,x,A,p,3,2,1,few,1,a,0.5
Bo 2002,-0.30,0.22,2,x,A,q,3,4,2,many,,b,0.5
Cy 2003,0.50,0.17,3,y,B,p,3,6,3,few,3,c,0.5
Di 2004,0.20,0.24,4,y,B,q,3,8,4,most,4,d,0.5
Ed 2005,-0.10,0.20,5,x,C,p,3,10,5,some,5,e,0.5
Flo 2006,0.40,0.22,6,x,C,q,3,12,6,all,6,f,0.5
Gus 2007,0.00,0.14,7,y,D,p,3,14,7,other,7,g,0.5
Hal 2008,0.30,0.17,9,y,D,q,3,18,8,both,8,h,0.5
"""
COMMANDS = ("fit", "compare", "check", "forest")

#: options, the commands that have them, and what the message must have
CASES = {
    "formula: unknown column": (["--moderators", "~ dos"], "fit compare check", ["'dos'", "did you mean 'dose'?"]),
    "formula: unreadable": (["--moderators", "~ dose +* twice"], "fit compare check", ["'~ dose +* twice'", "cannot be read"]),
    "formula: empty": (["--moderators", ""], "fit compare check", ["''"]),
    "formula: code": (["--moderators", "~ __import__('os').system('x')"], "fit compare check", ["cannot be read"]),
    "formula: unknown function": (["--moderators", "~ lg(dose)"], "fit compare check", ["unknown function 'lg'"]),
    "formula: rank": (["--moderators", "~ dose + twice"], "fit compare check", ["'twice' cannot be told apart"]),
    "formula: constant": (["--moderators", "~ constant"], "fit compare check", ["column 'constant'", "is 3 for all 8"]),
    "formula: parameter": (["--moderators", "~ tau"], "fit compare check", ["'tau'", "rename the column"]),
    "formula: texts": (["--moderators", "~ log(word)"], "fit compare check", ["column 'word'", "'few'"]),
    "formula: missing": (["--moderators", "~ gap"], "fit compare check", ["column 'gap'", "'Bo 2002'", "--drop-missing"]),
    "formula: too many": (["--moderators", "~ study + dose"], "compare", ["9 coefficients"]),
    "groups: unknown column": (["--by", "settng"], "fit compare check forest", ["'settng'", "did you mean 'setting'?"]),
    "groups: one": (["--by", "constant"], "fit compare check forest", ["column 'constant'", "one group"]),
    "groups: missing": (["--by", "gap"], "fit compare check forest", ["column 'gap'", "'Bo 2002'", "--drop-missing"]),
    "nesting: unknown column": (["--nesting", "tral/estimate"], "fit compare check", ["'tral'", "did you mean 'trial'?"]),
    "nesting: one estimate each": (["--nesting", "own/estimate"], "fit compare check", ["'own'", "one estimate"]),
    "nesting: one group": (["--nesting", "constant/estimate"], "fit compare check", ["one group of 'constant'"]),
    "nesting: empty": (["--nesting", ""], "fit compare check", ["nesting", "study/estimate"]),
    "nesting: missing": (["--nesting", "gap/estimate"], "fit compare check", ["column 'gap'", "'Bo 2002'"]),
    "correlation: without nesting": (["--sampling-correlation", "0.5"], "fit compare check", ["--nesting"]),
    "correlation: beyond 1": (
        ["--nesting", "trial/estimate", "--sampling-correlation", "1.5"], "fit compare check", ["between -1 and 1", "1.5"],
    ),
    "correlation: below its bound": (
        ["--nesting", "setting/estimate", "--sampling-correlation", "-0.4"], "fit compare check", ["above -1/3", "'Ada 2001'"],
    ),
    "within: without nesting": (["--within", "outcome"], "fit check", ["--nesting"]),
    "within: unknown column": (["--nesting", "trial", "--within", "outcom"], "fit check", ["did you mean 'outcome'?"]),
    "structure: unknown": (["--nesting", "trial", "--within", "outcome", "--structure", "XX"], "fit check", ["'XX'", "UN"]),
    "structure: frequentist only": (
        ["--nesting", "trial", "--within", "outcome", "--structure", "AR"], "fit check", ["'AR'", "bm.multilevel"],
    ),
    "common tau without groups": (["--common-tau"], "fit", ["--by"]),
    "drop missing without moderators": (["--drop-missing"], "fit compare check", ["--moderators"]),
    "prior: no such coefficient": (["--moderators", "~ dose", "--prior", "doze=Normal(0, 1)"], "fit compare check", ["'doze'", "dose"]),
    "prior: beyond its range": (
        ["--nesting", "trial/estimate", "--prior", "rho=Uniform(0, 2)"], "fit compare check", ["rho", "between 0 and 1"],
    ),
    "term: unknown": (["--moderators", "~ dose", "--term", "dos", "--what", "influence"], "check", ["'dos'", "did you mean 'dose'?"]),
    "data: no such file": (["--moderators", "~ weeks", "--data", "nowhere.csv"], "fit compare check", ["nowhere.csv"]),
}  # fmt: skip


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "estimates.csv"
    path.write_text(TABLE)
    return path


@pytest.mark.parametrize(
    ("verb", "options", "texts"),
    [
        pytest.param(command, options, texts, id=f"{command}: {name}")
        for name, (options, commands, texts) in CASES.items()
        for command in commands.split()
    ],
)
def test_bad_model_options(refused, table, tmp_path, monkeypatch, verb, options, texts):
    monkeypatch.chdir(tmp_path)
    out = ["--out", "figure.pdf"] if verb == "forest" else []
    message = refused(verb, table, "--measure", "GEN", *options, *out)
    for text in texts:
        assert text in message
    assert not (tmp_path / "figure.pdf").exists()
