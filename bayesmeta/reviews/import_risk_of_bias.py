"""The risk-of-bias judgements of an imported Cochrane review: which tool they are of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bayesmeta.certainty.risk_of_bias_tools import Tool, tools
from bayesmeta.cochrane.review import CochraneReview
from bayesmeta.cochrane.review import RiskOfBias as Entry
from bayesmeta.studies.repeats import study_name

#: the file of the judgements in the folder of an imported review
FILE = "risk_of_bias.csv"
_OPEN = ("", "not judged")


def imported_tool(review: CochraneReview) -> dict[str, Any]:
    """Return the keys of ``[risk_of_bias]``: the tool that has every domain and judgement of a review; empty without one.

    Parameters
    ----------
    review : CochraneReview
        The review.
    """
    if all(one.judgement in _OPEN for one in review.risk_of_bias):
        return {}
    for tool in tools().values():
        if _has_all(tool, review.risk_of_bias):
            found = [tool.domain(one.domain) for one in review.risk_of_bias]
            domains = [one.key for one in tool.domains if one in found]
            some = {"domains": domains} if 0 < len(domains) < len(tool.domains) else {}
            return {"tool": tool.name, "data": FILE, **some}
    return {}


def with_every_study(entries: Sequence[Entry], studies: Iterable[str]) -> list[Entry]:
    """Return the judgements with a row "not judged" for each study that has none, so that a missing name is an error."""
    known = {study_name(one.study) for one in entries}
    absent = [name for name in dict.fromkeys(map(study_name, studies)) if name not in known]
    return [*entries, *(Entry(name, entries[0].domain, "not judged") for name in absent)]


def _has_all(tool: Tool, entries: Iterable[Entry]) -> bool:
    return all(
        (tool.domain(one.domain) or one.domain.casefold().startswith("overall"))
        and (one.judgement in _OPEN or tool.judgement(one.judgement))
        for one in entries
    )
