"""The tables of the summary of findings and of the GRADE ratings, with the facts beside them."""

from __future__ import annotations

from bayesmeta.certainty.corresponding_risk import number_needed_to_treat
from bayesmeta.certainty.grade import DOMAIN_LABELS, DOWN, UP, statement
from bayesmeta.certainty.grade_rules import proposed_level
from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.labels import abbreviations
from bayesmeta.reporting.numbers import count, is_missing
from bayesmeta.reporting.tables.absolute import difference_text, range_text, risk_text
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.reporting.tables.results import text_frame, written_estimate
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.report.bands import thresholds_note
from bayesmeta.reviews.report.evidence_facts import absolute_of, findings, lowers, primary_row, size_of
from bayesmeta.reviews.report.headings import at_level, headings
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

NAMES = (
    "Comparison", "Outcome", "Participants (studies)", "Certainty (GRADE)", "Relative effect", "Risk with control",
    "Risk with intervention", "Difference", "Number needed to treat", "What it means", NOTE,
)  # fmt: skip
OPTIONAL = (
    "Comparison",
    "Relative effect",
    "Risk with control",
    "Risk with intervention",
    "Number needed to treat",
    "What it means",
    NOTE,
)
NOT_RATED = "Not rated"


def _shown(review: Review, results: list[AnalysisResult]) -> list[tuple[Analysis, AnalysisResult]]:
    """Return the analyses with absolute effects or ratings, and their results."""
    known = {analysis.id: analysis for analysis in review.analysis}
    return [
        (known[result.id], result)
        for result in results
        if result.id in known and (known[result.id].absolute is not None or known[result.id].grade is not None)
    ]


def summary_of_findings(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the summary of findings: one row per analysis with `absolute` or `grade`; None without any."""
    rows = []
    for analysis, result in _shown(review, results):
        row, found = primary_row(result), absolute_of(result)
        rows.append(
            {
                "Comparison": analysis.comparison,
                "Outcome": f"{analysis.outcome}, {analysis.time}" if analysis.time else analysis.outcome,
                "Participants (studies)": _size(count(row.get("n")), count(row.get("k"))),
                "Certainty (GRADE)": NOT_RATED if analysis.grade is None else analysis.grade.certainty().level.capitalize(),
                "Relative effect": f"{analysis.measure} {written_estimate(row)}" if _is_relative(analysis) and row else "",
                "Risk with control": risk_text(found, "baseline"),
                "Risk with intervention": risk_text(found, "risk"),
                "Difference": _difference(analysis, result),
                "Number needed to treat": _needed(analysis, result),
                "What it means": _meaning(review, analysis, result),
                NOTE: " ".join(_footnotes(analysis, result)),
            }
        )  # fmt: skip
    if not rows:
        return None
    frame = text_frame(rows, NAMES, optional=OPTIONAL)
    measures = list(dict.fromkeys(analysis.measure for analysis, _ in _shown(review, results)))
    grouped = "Comparison" in frame
    notes = (
        f"Bayesian estimates: posterior median with {at_level(review, 'credible interval')} under the model of the main table. Risks per "
        "1,000 people; the risk with the intervention follows from the risk with control and the relative effect.",
        "; ".join(
            [
                *abbreviations(measures),
                "NNTB: number needed to treat for one more person to benefit",
                "NNTH: for one more to be harmed",
            ]
        )
        + ".",
        "GRADE certainty. High: very confident that the true effect is close to the estimate; moderate: moderately confident; low: limited "
        "confidence, it may be substantially different; very low: very little confidence. Sentences after GRADE guideline 26, by the "
        "band in which the estimate lies.",
        thresholds_note(review),
    )
    return Table(frame, f"{review.title}: summary of findings", notes, "Comparison" if grouped else None, review.notice)


def _size(participants: str, studies: str) -> str:
    number = f"{int(participants):,}" if participants.isdigit() else participants
    return f"{number} ({studies} {'study' if studies == '1' else 'studies'})" if studies else number


def _is_relative(analysis: Analysis) -> bool:
    return MEASURES[analysis.measure].log


def _difference(analysis: Analysis, result: AnalysisResult) -> str:
    """Write the absolute effect: of risks, of means, or of an SMD in several words."""
    row, found = primary_row(result), absolute_of(result)
    parts, keys = [difference_text(found)], analysis.absolute
    if not _is_relative(analysis) and analysis.measure != "RD" and row:
        units = f" {keys.units}" if analysis.measure == "MD" and keys is not None and keys.units else ""
        parts.append(f"{analysis.measure} {written_estimate(row)}{units}")
    if not is_missing(found.get("mean_difference")) and keys is not None:
        parts.append(f"MD {range_text(found, 'mean_difference')} {keys.units or f'with an SD of {keys.sd:g}'}")
    return "; ".join(filter(None, parts))


def _needed(analysis: Analysis, result: AnalysisResult) -> str:
    found = absolute_of(result)
    if is_missing(found.get("difference")) or analysis.better is None:
        return ""
    ends = (found["difference"], found["difference_low"], found["difference_high"])
    return number_needed_to_treat(*ends, better=analysis.better)


def _meaning(review: Review, analysis: Analysis, result: AnalysisResult) -> str:
    """Write the sentence of GRADE guideline 26; "" without a rating, bands or an estimate."""
    size = size_of(review, analysis, result)
    if analysis.grade is None or not size:
        return ""
    treatment = analysis.groups[0] if analysis.groups[0] != "Experimental" else "the intervention"
    outcome = analysis.outcome
    if outcome[1:2].islower():
        outcome = outcome[:1].lower() + outcome[1:]
    if analysis.time:
        outcome = f"{outcome} ({analysis.time})"
    level = analysis.grade.certainty().level
    return statement(level, size, lowers=lowers(analysis, result), treatment=treatment, outcome=outcome)


def _footnotes(analysis: Analysis, result: AnalysisResult) -> list[str]:
    found = absolute_of(result)
    notes = [] if analysis.grade is None else list(analysis.grade.certainty().reasons)
    if found.get("baseline_source"):
        carried = (
            ""
            if found["baseline_low"] == found["baseline_high"]
            else ", its uncertainty carried into the other numbers"
        )
        notes.append(f"Risk with control: {found['baseline_source']}{carried}.")
    words = [
        f"{label} {range_text(found, name, share=share)}"
        for name, label, share in (
            ("odds_ratio", "odds ratio (Chinn 2000)", False),
            ("superiority", "probability that a person with the intervention scores higher than one without", True),
        )
        if not is_missing(found.get(name))
    ]
    return [*notes, *([f"The SMD in other words: {'; '.join(words)}."] if words else [])]


def grade_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the evidence profile: for each analysis and domain the reviewers' rating, the facts, and the rating by published rules."""
    heading = headings(review)
    lines: list[dict[str, str]] = []
    rules: dict[str, None] = {}
    for analysis, result in _shown(review, results):
        found = findings(review, analysis, result)
        if not found:
            continue
        given = analysis.grade
        for one in found:
            rating = getattr(given, one.domain) if given is not None else None
            lines.append(
                {
                    "Analysis": heading[result.id],
                    "Domain": DOMAIN_LABELS[one.domain].capitalize(),
                    "Rated": NOT_RATED if rating is None else _levels(rating.down),
                    "Why": rating.why if rating is not None else "",
                    "Facts": " ".join(one.facts),
                    "By the rules": "For a person" if one.proposed is None else _levels(min(one.proposed, DOWN[one.domain])),
                }
            )  # fmt: skip
            rules.setdefault(one.rule)
        for name in UP if given is not None else ():
            rating = getattr(given, name)
            if rating.up:
                lines.append(
                    {"Analysis": heading[result.id], "Domain": DOMAIN_LABELS[name].capitalize(), "Rated": f"+{rating.up}",
                     "Why": rating.why, "Facts": "", "By the rules": "For a person"}
                )  # fmt: skip
        level, left = proposed_level("high" if given is None else given.start, found)
        lines.append(
            {
                "Analysis": heading[result.id],
                "Domain": "Certainty",
                "Rated": NOT_RATED if given is None else given.certainty().level.capitalize(),
                "Why": "",
                "Facts": f"Left to a person: {', '.join(DOMAIN_LABELS[name] for name in left)}." if left else "",
                "By the rules": f"At most {level}" if left else level.capitalize(),
            }
        )
    if not lines:
        return None
    notes = (
        "Rated: by the reviewers. By the rules: what published rules give from the facts beside it, which does not take the place of a "
        "person's rating.",
        *filter(None, rules),
    )
    frame = text_frame(lines, list(lines[0]), optional=("Why",))
    return Table(frame, f"{review.title}: certainty of the evidence (GRADE)", notes, "Analysis", review.notice)


def _levels(down: int) -> str:
    return "0" if not down else f"-{down}"
