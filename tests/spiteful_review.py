"""A review whose studies have names that could be markup, formulas or commands in one format or another."""

from pathlib import Path

NOTICE = "Made-up numbers, to test with."
#: names of studies that are markup, formulas and commands in one format or another
NAMES = [
    "<b>Adams</b> & <script>alert(1)</script>",
    '=HYPERLINK("http://x.org","Baker")',
    r"\textbf{Clark} $x$ 50% #1 \input{/etc/passwd}",
    "דוד כהן 2019",
    "Trial 🧪 | *bold* [a](b)",
    "@Sum(1+1)*cmd|' /C calc'!A0",
]
REVIEW = f"""
id = "documents"
title = "Drugs & <talk>"
citation = "Smith 2020"
notice = "{NOTICE}"

[settings]
engine = "quadrature"
figures = ["png", "svg", "pdf"]

[priors.SMD]
tau = "HalfCauchy(0.3)"

[[alternative]]
name = "Turner"
measure = "RR"
tau = 'turner2015("all-cause mortality", "pharmacological vs. placebo / control")'

[[analysis]]
id = "1.1"
outcome = "Death"
comparison = "Drug versus placebo"
measure = "RR"
better = "lower"
data = "death.csv"
moderators = "~ dose"
prespecified = true

[[analysis]]
id = "1.2"
outcome = "Pain"
measure = "SMD"
better = "lower"
data = "pain.csv"
"""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def write_source(folder: Path) -> Path:
    counts = ["5,100,9,100,1", "12,150,20,150,2", "0,60,4,60,1", "1,60,4,60,4", "7,80,9,85,3", "0,50,0,52,2"]
    means = ["20.1,8.2,40,25.3,9.1,42", "18.0,7.5,30,19.2,8.8,28"]
    folder.mkdir(parents=True, exist_ok=True)
    death = [f"{quoted(name)},{row}" for name, row in zip(NAMES, counts, strict=True)]
    pain = [f"{quoted(name)},{row}" for name, row in zip(NAMES, means, strict=False)]
    (folder / "death.csv").write_text("\n".join(["study,events_e,n_e,events_c,n_c,dose", *death]) + "\n", "utf-8")
    (folder / "pain.csv").write_text("\n".join(["study,mean_e,sd_e,n_e,mean_c,sd_c,n_c", *pain]) + "\n", "utf-8")
    (folder / "review.toml").write_text(REVIEW, "utf-8")
    return folder
