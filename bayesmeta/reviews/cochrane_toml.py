"""The review.toml of an imported Cochrane review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit

from bayesmeta.cochrane.entries import Entry, published_result
from bayesmeta.cochrane.review import CochraneReview

#: column of the study tables that names the subgroup of each row
SUBGROUP = "subgroup"
_METHODS = {"MH": "Mantel-Haenszel", "IV": "inverse variance", "PETO": "Peto", "EXP_O_E_VAR": "O-E and variance"}
_MODELS = {"common": "common effect", "random": "random effects"}

# engine: NUTS takes seconds per analysis, and a review may have hundreds; checks take as long as everything else
_HEAD = """\
# {title}
# Made by `bayesmeta import` from {source}. Edit what you like: see the columns of the tables, and ARCHITECTURE.md for what
# a review.toml may say. The tables' column `study` is unique within an analysis, `study_label` is the review's own name;
# a text in `exclude` leaves a row out, with that reason. What the review published is in `reported_*` and `published`.

{keys}

[settings]
engine = "quadrature"  # or "both", to check it with NUTS
save_fits = false
checks = false  # or true, to pool without each study in turn and compare with replicated data

# Effects as RevMan computes them
[options]
zero_cells = "revman"
smd = "revman"
"""


def toml_text(
    review: CochraneReview,
    found: Sequence[Entry],
    files: Mapping[str, str],
    better: Mapping[str, str] | None = None,
    judged: Mapping[str, Any] | None = None,
) -> str:
    """Return a review as the text of its review.toml.

    Parameters
    ----------
    review : CochraneReview
        The review.
    found : sequence of Entry
        Its meta-analyses; those with a problem become comments.
    files : mapping of str to str
        Id of an entry to the name of its study table.
    better : mapping of str to str, optional
        Id of an entry to its side of benefit, "lower" or "higher".
    judged : mapping, optional
        Keys of ``[risk_of_bias]``; without any there is no such table.

    Returns
    -------
    str
        The same text for the same review.
    """
    head = _HEAD.format(
        title=_one_line(review.title),
        source=_one_line(Path(review.source).name),
        keys=_pairs({"id": review.id, "title": review.title}),
    )
    parts = [
        f"# Analysis {entry.id}, {_one_line(entry.outcome)}: not imported, {_one_line(entry.problem)}\n"
        if entry.problem
        else f"[[analysis]]\n{_pairs(_analysis(entry, files[entry.id], (better or {}).get(entry.id)))}\n"
        for entry in found
    ]
    bias = [f"[risk_of_bias]\n{_pairs(judged)}\n"] if judged else []
    return "\n".join([head, *bias, *parts])


def _analysis(entry: Entry, file: str, better: str | None = None) -> dict[str, Any]:
    """Return the keys of an analysis."""
    analysis, result = entry.analysis, published_result(entry)
    published = None
    if result is not None:
        words = (_METHODS.get(analysis.method), _MODELS.get(analysis.model))
        published = {
            "estimate": result.estimate, "ci_low": result.ci_low, "ci_high": result.ci_high, "k": entry.k or None,
            "n": None if result.n_e is None or result.n_c is None else int(result.n_e + result.n_c),
            "tau2": result.tau2, "i2": result.i2, "q": result.q,
            "method": ", ".join(filter(None, words)), "model": analysis.model or None,
        }  # fmt: skip
    return {
        "id": entry.id, "comparison": entry.comparison, "outcome": entry.outcome, "measure": entry.measure, "data": file,
        "where": {"analysis": entry.id}, "by": _by(entry), "groups": [analysis.group_e or "Experimental", analysis.group_c or "Control"],
        "better": better,
        "level": None if entry.level == 0.95 else entry.level, "note": entry.note or None, "published": published,
    }  # fmt: skip


def _by(entry: Entry) -> str | None:
    """Return the column of the subgroups where the rows that can be pooled are in two or more, and each has a name."""
    names = {subgroup.number: subgroup.name for subgroup in entry.analysis.subgroups}
    here = {names.get(row.subgroup, "") for row, reason in zip(entry.rows, entry.reasons, strict=True) if not reason}
    return SUBGROUP if len(here) > 1 and all(name.strip() for name in here) else None


def _pairs(values: Mapping[str, Any], separator: str = "\n") -> str:
    """Write keys and values; None is left out."""
    return separator.join(f"{name} = {_value(value)}" for name, value in values.items() if value is not None)


def _value(value: Any) -> str:
    # tables and arrays here, since tomlkit writes them without the spaces inside, and a whole document three times slower
    if isinstance(value, Mapping):
        return f"{{ {_pairs(value, ', ')} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return tomlkit.item(value).as_string()


def _one_line(text: str) -> str:
    """Return a text as one line of printable characters, for a comment."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
