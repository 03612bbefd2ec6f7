"""A small review with study names that could do harm, run once, and its page in a browser."""

import pytest

from bayesmeta.reviews.report.page import write_report
from bayesmeta.reviews.run import run_review

HOSTILE = (
    "</script><script>document.title='broken'</script>",
    "<img src=x onerror=\"document.title='broken'\">",
    "ניסוי 1999 (א)",
    "Trial 🧪 & <b>bold</b>",
)
COUNTS = f"""study,events_e,n_e,events_c,n_c
{HOSTILE[0]},8,48,16,49
"{HOSTILE[1].replace('"', '""')}",12,60,15,58
{HOSTILE[2]},3,31,9,30
{HOSTILE[3]},0,40,0,41
Left out 2001,30,40,10,39
"""
ESTIMATES = "study,yi,sei\nA,0.30,0.25\nB,0.61,0.30\nC,-0.1,0.22\nD,0.305,0.28\n"
REVIEW = """id = "hostile"
title = "Names that could do harm <script>document.title='broken'</script>"
citation = "Nobody 2020"
notice = "Made up: nothing follows from these data."
[settings]
engine = "quadrature"
tables = ["csv"]
figures = []
[priors.RR]
mu = "Normal(0, 2.82)"
tau = "HalfNormal(0.5)"
[[alternative]]
name = "Turner 2015"
measure = "RR"
tau = 'turner2015("mental health indicators", "non-pharmacological vs. placebo / control")'
[bands.RR]
trivial = 0.9
small = 0.75
[[analysis]]
id = "1.1"
outcome = "Events <b>"
measure = "RR"
data = "counts.csv"
better = "lower"
comparison = "New versus old"
exclude = { "Left out 2001" = "quasi-randomized" }
[[analysis]]
id = "1.2"
outcome = "Differences"
measure = "SMD"
data = "estimates.csv"
"""


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """The run of the review; its page is written."""
    source = tmp_path_factory.mktemp("hostile")
    (source / "review.toml").write_text(REVIEW, encoding="utf-8")
    (source / "counts.csv").write_text(COUNTS, encoding="utf-8")
    (source / "estimates.csv").write_text(ESTIMATES, encoding="utf-8")
    run = run_review(source, tmp_path_factory.mktemp("out") / "out")
    assert run.failed == {}
    return run


@pytest.fixture(scope="session")
def page_file(hostile):
    return write_report(hostile.out)
