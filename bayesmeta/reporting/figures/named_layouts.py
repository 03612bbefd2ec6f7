"""Named layouts of forest plots: which columns, in which order, in which words, numbers and colours; one record per layout.

What RevMan and JAMA draw is described in the documentation of ``forest.meta`` of R package meta (sections "Forest plots in RevMan5
layout" and "in JAMA layout"); JAMA's P values follow the AMA Manual of Style, 11th edition, and its colours, as those of the
BMJ, are those of R package meta. "Std. Mean Difference" is the label of RevMan 5, and of the data that Cochrane publishes.

No text is below 6 points in print: the least of journals that follow the AMA Manual of Style, 11th edition, section 4.2 (so Human Kinetics,
"Figure guidelines"); Nature asks for 5 points, BioMed Central for 8. The size is that of the letters as they are drawn, in DejaVu Sans,
whose letters are larger at the same size than those of Arial.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bayesmeta.errors import unknown_name
from bayesmeta.reporting.figures.pvalues import bmj_p, jama_p, plain_p, revman_p
from bayesmeta.reporting.figures.style import BAYES, DIAMONDS


@dataclass(frozen=True)
class Layout:
    """How a forest plot is arranged and written.

    Templates have the fields {measure} (RR), {label} (Risk ratio), {Label} (Risk Ratio), {percent} (95%), {scale} (of ratios "(log scale)")
    and {pooling} ("IV, Random, " with weights of a random-effects model); those of heterogeneity and tests say theirs.

    Parameters
    ----------
    name : str
        Name that users give.
    study : str
        Header of the names of studies.
    arms : mapping of str to tuple of str
        Headers of the columns of an arm, by kind of data; a kind that is not here has none.
    split : bool
        Whether events and participants, and means and standard deviations, have a column each.
    left, right : tuple of str
        Columns between the arms and the panel, and right of the panel: "effect", "weight", "shrunk".
    headers : mapping of str to str
        Template of the header of each of these columns.
    labels : mapping of str to str
        Labels of measures that are not those of ``MEASURES``.
    panel, panel_short : str
        Templates of the header of the panel, and of the one where the first has no place; where neither has one it is the measure.
    below : str
        Template of the text below the axis.
    favours_above : bool
        Whether the sides of benefit are above the panel instead of below the axis.
    marks : (str, str, str)
        What is before, within and after an interval.
    negative : str
        What is within an interval where a number of the table is negative; "" for the same.
    percent_sign : bool
        Whether weights have a percent sign.
    circles : bool
        Whether the effects of the studies in the Bayesian model are shown.
    total : str
        Template of the label of a pooled result, with the field {method}.
    parenthesized : bool
        Whether the level in the label of a pooled result is in parentheses.
    squares : mapping of str to str
        Colour of the squares by kind of data; "" is the key of others.
    diamonds : mapping of str to (str, str)
        Fill and edge of diamonds by kind.
    accent : str
        Colour of the line of the pooled effect and the prediction interval of a Bayesian method.
    line_width : float
        Width of intervals in points.
    pvalue : callable
        Writes a P value with its sign: "P = .03".
    heterogeneity, overall : str
        Templates: {tau2}, {q}, {df}, {df_sub} (subscript), {p}, {i2}, {method}; and {z}, {absolute_z}, {p}, {method}.
    bayesian : str
        Template of the posterior of tau: {median} and {interval}, {percent}.
    one_study : str
        Text for one study, which has no heterogeneity.
    opening, joint : str
        What is before the heterogeneity, and between its parts.
    difference, difference_f : str
        Templates of the test of differences between groups by chi-squared and by F: {value}, {df}, {df_sub}, {p}, {i2}, {method}.
    group : mapping of str to str
        Templates of the parts of the line of a group: "k", "tau2", "i2"; one that is not here is not shown.
    """

    name: str
    study: str = "Study"
    arms: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "dichotomous": ("events/n",),
            "continuous": ("mean (SD)", "n"),
            "rates": ("events", "person-time"),
        }
    )
    split: bool = False
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ("effect", "weight", "shrunk")
    headers: Mapping[str, str] = field(
        default_factory=lambda: {
            "effect": "■ {measure}\n[{percent} CI]",
            "weight": "Weight",
            "shrunk": "● Shrunken {measure}\n[{percent} CrI]",
        }
    )
    labels: Mapping[str, str] = field(default_factory=dict)
    panel: str = "{measure}{scale}"
    panel_short: str = "{measure}"
    below: str = ""
    favours_above: bool = False
    marks: tuple[str, str, str] = ("[", ", ", "]")
    negative: str = ""
    percent_sign: bool = True
    circles: bool = True
    total: str = "{method}"
    parenthesized: bool = False
    squares: Mapping[str, str] = field(default_factory=lambda: {"": "#808080"})
    diamonds: Mapping[str, tuple[str, str]] = field(default_factory=lambda: DIAMONDS)
    accent: str = BAYES
    line_width: float = 0.8
    pvalue: Callable[[float], str] = plain_p
    heterogeneity: str = "{method}: τ² = {tau2}, I² = {i2}, Q = {q} (df = {df}, {p})"
    overall: str = "Test for overall effect. {method}: z = {z}, {p}"
    bayesian: str = "Bayesian: τ = {median} {interval}"
    one_study: str = "one study, so that τ², I² and Q cannot be estimated from the data"
    opening: str = "Heterogeneity. "
    joint: str = "; "
    difference: str = "Test of differences between groups ({method}): χ² = {value} (df = {df}, {p})"
    difference_f: str = "Test of differences between groups ({method}): F = {value} (df = {df}, {p})"
    group: Mapping[str, str] = field(default_factory=lambda: {"k": "k = {}", "tau2": "τ² = {}", "i2": "I² = {}"})

    def pooled(self, what: str, interval: str) -> str:
        """Return the label of a pooled result with the level of its interval: "Subtotal, 95% CI"."""
        return f"{what} ({interval})" if self.parenthesized else f"{what}, {interval}"

    def square(self, kind: str) -> str:
        """Return the colour of the squares of a kind of data."""
        return self.squares.get(kind, self.squares[""])

    def between(self, negative: bool) -> tuple[str, str, str]:
        """Return what is before, within and after an interval of a table with or without negative numbers."""
        before, within, after = self.marks
        return before, self.negative if negative and self.negative else within, after


DEFAULT = Layout("default")
_BLACK = "#000000"
_REVMAN = Layout(
    "revman",
    study="Study or Subgroup",
    arms={
        "dichotomous": ("Events", "Total"),
        "continuous": ("Mean", "SD", "Total"),
        "rates": ("Events", "Person-time"),
    },
    split=True,
    left=("weight", "effect"),
    right=(),
    headers={"effect": "{Label}\n{pooling}{percent} CI", "weight": "Weight"},
    labels={"SMD": "Std. mean difference"},
    panel="{Label}\n{pooling}{percent} CI",
    panel_short="{Label}",
    circles=False,
    total="Total, {method}",
    parenthesized=True,
    # blue of dichotomous and green of continuous data; red of ready-made estimates, as R package meta has it
    squares={"dichotomous": "#0000ff", "continuous": "#008000", "rates": "#0000ff", "": "#c00000"},
    diamonds={"bayes": ("#8c8c8c", _BLACK), "frequentist": (_BLACK, _BLACK), "published": ("white", _BLACK)},
    accent="#595959",
    pvalue=revman_p,
    heterogeneity="Heterogeneity: Tau² = {tau2}; Chi² = {q}, df = {df} ({p}); I² = {i2} ({method})",
    overall="Test for overall effect: Z = {absolute_z} ({p}) ({method})",
    bayesian="Bayesian: posterior median of Tau = {median} {interval}, {percent} credible interval",
    one_study="Heterogeneity: Not applicable",
    opening="",
    joint="\n",
    difference="Test for subgroup differences: Chi² = {value}, df = {df} ({p}), I² = {i2} ({method})",
    difference_f="Test for subgroup differences: F = {value}, df = {df} ({p}) ({method})",
    group={"k": "k = {}", "tau2": "Tau² = {}", "i2": "I² = {}"},
)
_JAMA = Layout(
    "jama",
    study="Source",
    arms={},
    left=("effect",),
    right=("weight",),
    headers={"effect": "{label}\n({percent} CI)", "weight": "Weight, %"},
    panel="",
    panel_short="",
    below="{label} ({percent} CI)",
    favours_above=True,
    marks=("(", "-", ")"),
    negative=" to ",
    percent_sign=False,
    circles=False,
    total="Total, {method}",
    parenthesized=True,
    squares={"": "#00008b"},
    diamonds={"bayes": ("#00008b", _BLACK), "frequentist": ("#add8e6", _BLACK), "published": ("white", _BLACK)},
    accent="#00008b",
    line_width=0.6,
    pvalue=jama_p,
    heterogeneity="Heterogeneity: χ²{df_sub} = {q} ({p}), I² = {i2} ({method})",
    overall="Test for overall effect: z = {z} ({p}) ({method})",
    bayesian="Bayesian: posterior median of τ, {median} {interval}, {percent} credible interval",
    one_study="Heterogeneity: not applicable (1 study)",
    opening="",
    joint="\n",
    difference="Test for subgroup differences: χ²{df_sub} = {value} ({p}) ({method})",
    difference_f="Test for subgroup differences: F = {value}, df = {df} ({p}) ({method})",
    group={"k": "k = {}", "i2": "I² = {}"},
)
_BMJ = Layout(
    "bmj",
    arms={
        "dichotomous": ("No of events/total",),
        "continuous": ("Mean (SD)", "No"),
        "rates": ("No of events", "Person-time"),
    },
    right=("weight", "effect"),
    headers={"effect": "{label}\n({percent} CI)", "weight": "Weight\n(%)"},
    panel="{label}\n({percent} CI)",
    panel_short="{label}",
    marks=("(", " to ", ")"),
    percent_sign=False,
    circles=False,
    total="Total, {method}",
    parenthesized=True,
    squares={"": "#6b58a6"},
    diamonds={
        "bayes": ("#c9c1e3", "#6b58a6"),
        "frequentist": ("#6b58a6", "#6b58a6"),
        "published": ("white", "#6b58a6"),
    },
    accent="#6b58a6",
    pvalue=bmj_p,
    heterogeneity="Test for heterogeneity: τ²={tau2}; χ²={q}, df={df}, {p}; I²={i2} ({method})",
    overall="Test for overall effect: z={z}, {p} ({method})",
    bayesian="Bayesian: posterior median of τ={median} {interval}, {percent} credible interval",
    one_study="Test for heterogeneity: not applicable (one study)",
    opening="",
    joint="\n",
    difference="Test for subgroup differences: χ²={value}, df={df}, {p} ({method})",
    difference_f="Test for subgroup differences: F={value}, df={df}, {p} ({method})",
    group={"k": "k={}", "tau2": "τ²={}", "i2": "I²={}"},
)
#: layouts of forest plots by name
LAYOUTS: Mapping[str, Layout] = {one.name: one for one in (DEFAULT, _REVMAN, _JAMA, _BMJ)}


def layout_of(name: str) -> Layout:
    """Return the layout of a name.

    Raises
    ------
    SpecError
        If there is none.
    """
    if not isinstance(name, str) or name not in LAYOUTS:
        raise unknown_name("layout of forest plots", name, LAYOUTS)
    return LAYOUTS[name]
