from dataclasses import replace

import numpy as np
import pytest
from engines.arm_level.test_study_likelihood import EVERYTHING, STUDIES, allowed, columns_of, engine
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesmeta.engines.arm_level import study_table
from bayesmeta.engines.arm_level.study_likelihood import KERNELS, kernel_of
from bayesmeta.engines.arm_level.study_table import FARTHEST, Table, tabulate
from bayesmeta.model.priors.parse import parse_prior


def table_of(likelihood: str, measure: str, study: tuple[float, ...], baseline=None) -> Table:
    return tabulate(likelihood, measure, columns_of(likelihood, study), baseline)[0]


def together(likelihood: str, studies) -> dict[str, np.ndarray]:
    columns = [columns_of(likelihood, study) for study in studies]
    return {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}


@pytest.fixture
def fresh(monkeypatch):
    """Discard earlier tables, and count the studies that are tabulated."""
    monkeypatch.setattr(study_table, "_kept", type(study_table._kept)())
    made: list[int] = []
    plain = study_table._tabulate

    def counting(kernel, columns, *settings):
        made.append(len(next(iter(columns.values()))))
        return plain(kernel, columns, *settings)

    monkeypatch.setattr(study_table, "_tabulate", counting)
    return made


@pytest.mark.parametrize(("likelihood", "measure", "study"), EVERYTHING, ids=str)
def test_the_table_is_the_function(likelihood: str, measure: str, study: tuple[float, ...]) -> None:
    table = table_of(likelihood, measure, study)
    rng = np.random.default_rng(5)
    low, high = table.ends
    near = table.peak_at if abs(table.peak_at) < 50 else 0.0
    width = min(near - low, high - near)
    theta = np.concatenate([rng.uniform(low, high, 150), near + width * rng.uniform(-0.2, 0.2, 150), [low, high]])
    known = engine(likelihood, measure, study, theta)
    gap = np.abs(table.log_value(theta) - known)
    fallen = np.maximum(table.peak - known, 0.0)
    rounding = allowed(study, theta, known)
    # as accurate as its estimate and its tolerance state; less so far below the maximum
    assert (gap <= 10 * (table.error + 1e-10) * np.exp(np.minimum(fallen, 60.0) / 3) + 10 * rounding).all()
    assert table.error <= 1e-9 + 3e-14 * (sum(map(abs, study)) + np.abs(known).max())
    # the maximum on a grid of some hundred points: a reference, not an estimate of the mode
    assert table.peak == pytest.approx(known.max(), abs=0.05)
    assert table.log_value(np.array([table.peak_at]))[0] == pytest.approx(table.peak, abs=1e-12 + rounding.max())


@pytest.mark.parametrize(("likelihood", "measure", "study"), EVERYTHING, ids=str)
def test_it_is_linear_beyond_its_ends(likelihood: str, measure: str, study: tuple[float, ...]) -> None:
    table = table_of(likelihood, measure, study)
    for side, sign in ((0, -1.0), (1, 1.0)):
        end = table.ends[side]
        length = abs(end - table.split)
        inside, at, out, farther = table.log_value(end + sign * length * np.array([-1e-6, 0.0, 1.0, 2.0]))
        slope = table.end_slopes[side]
        # far out log m_i never rises, except by rounding on a plateau
        assert sign * slope <= 1e-9
        assert out - at == pytest.approx(sign * slope * length, rel=1e-9, abs=1e-9)
        assert farther - out == pytest.approx(out - at, rel=1e-9, abs=1e-9)
        assert at - inside == pytest.approx(sign * slope * 1e-6 * length, rel=1e-3, abs=1e-7)
        # it has fallen far, or is linear from there on, or the limit is reached
        if table.peak - at < study_table.FALL and abs(end) < FARTHEST:
            beyond = np.linspace(end, sign * FARTHEST, 41)
            known = engine(likelihood, measure, study, beyond)
            np.testing.assert_allclose(table.log_value(beyond), known, rtol=1e-12, atol=2e-9)


@pytest.mark.parametrize(
    ("measure", "study", "baseline"),
    [
        ("RR", (1, 1, 50, 100), None), ("RR", (0, 1, 1000, 1000), None), ("RR", (4, 5, 200000, 200000), None),
        ("RR", (0, 1000, 99, 100), None), ("OR", (8, 8, 0, 8), None), ("OR", (0, 20, 20, 20), None), ("OR", (0, 5, 0, 8), "Cauchy(0, 2.5)"),
        ("OR", (1, 2, 0, 20), "Beta(0.5, 0.5)"), ("OR", (0, 1, 1, 2), "Cauchy(0, 2.5)"),
        ("OR", (5, 5, 0, 5), None), ("OR", (1, 1, 0, 100), None), ("OR", (2, 2, 0, 5), "Cauchy(0, 2.5)"),
        ("RR", (1, 2, 200000, 200000), None),
    ],
)  # fmt: skip
def test_extreme_arms(measure: str, study: tuple[int, ...], baseline: str | None) -> None:
    # flat tops with sharp edges, thin layers at no effect, unbounded baselines
    prior = parse_prior(baseline) if baseline else None
    table = table_of("binomial", measure, study, prior)
    theta = np.concatenate([np.linspace(-60.0, 60.0, 241), np.linspace(-0.1, 0.1, 101)])
    known = engine("binomial", measure, study, theta, prior)
    matters = table.peak - known < 30
    np.testing.assert_allclose(table.log_value(theta)[matters], known[matters], rtol=1e-11, atol=2e-8)


@settings(max_examples=15)
@given(st.floats(-3.0, 3.0), st.floats(0.2, 5.0))
def test_the_start_of_the_search_does_not_matter(guess: float, spread: float) -> None:
    theta = np.linspace(-4.0, 3.0, 41)
    kernel = replace(kernel_of("binomial", "RR"), start=lambda _: (np.array([guess]), np.array([spread])))
    table = study_table._tabulate(kernel, columns_of("binomial", (8, 48, 16, 49)), None, study_table.FALL)[0]
    known = engine("binomial", "RR", (8, 48, 16, 49), theta)
    np.testing.assert_allclose(table.log_value(theta), known, atol=2e-9)


def test_the_corner_is_where_the_sides_meet() -> None:
    table = table_of("binomial", "RR", (10, 10, 5, 10))
    assert table.corner
    assert table.split == 0.0
    below, at, above = table.log_value(np.array([-1e-7, 0.0, 1e-7]))
    assert below == pytest.approx(at, abs=1e-5)
    assert above == pytest.approx(at, abs=1e-5)
    assert not table_of("binomial", "OR", (10, 10, 5, 10)).corner
    # a corner outside the table does not count
    assert not table_of("binomial", "RR", (2000, 90000, 9000, 90000)).corner


def test_the_same_data_are_tabulated_once(fresh) -> None:
    first = table_of("binomial", "RR", (8, 48, 16, 49))
    assert table_of("binomial", "RR", (8, 48, 16, 49)) is first
    assert fresh == [1]
    studies = [(8, 48, 16, 49), (4, 21, 5, 20), (4, 21, 5, 20)]
    tables = tabulate("binomial", "RR", together("binomial", studies))
    assert fresh == [1, 1]
    assert tables[0] is first
    assert tables[1] is tables[2]


def test_another_prior_or_measure_is_another_table(fresh) -> None:
    study = (8, 48, 16, 49)
    tables = [
        table_of("binomial", "RR", study),
        table_of("binomial", "OR", study),
        table_of("binomial", "RR", study, parse_prior("Beta(1, 1)")),
        table_of("binomial", "RR", study, parse_prior("Beta(1, 2)")),
    ]
    assert fresh == [1, 1, 1, 1]
    assert len({table.peak for table in tables}) == 4


def test_order_does_not_matter(fresh) -> None:
    studies = [(8, 48, 16, 49), (0, 5, 3, 5), (505, 88391, 499, 88391)]
    forward = tabulate("binomial", "OR", together("binomial", studies))
    study_table.clear_tables()
    backward = tabulate("binomial", "OR", together("binomial", studies[::-1]))
    assert sum(fresh) == 6
    for one, other in zip(forward, backward[::-1], strict=True):
        np.testing.assert_array_equal(one.cells, other.cells)


@pytest.mark.parametrize(("likelihood", "measure"), sorted(KERNELS))
def test_a_table_does_not_depend_on_the_other_studies(likelihood: str, measure: str, fresh) -> None:
    # to the last bit: another process, which tabulated other studies before, must find the same results
    tables = tabulate(likelihood, measure, together(likelihood, STUDIES[likelihood]))
    for study, table in zip(STUDIES[likelihood], tables, strict=True):
        study_table.clear_tables()
        alone = table_of(likelihood, measure, study)
        np.testing.assert_array_equal(alone.cells, table.cells)
        np.testing.assert_array_equal(alone.frame, table.frame)
        assert (alone.peak, alone.error) == (table.peak, table.error)
    assert fresh == [len(tables), *[1] * len(tables)]


def test_only_so_many_are_kept(fresh, monkeypatch) -> None:
    monkeypatch.setattr(study_table, "KEPT", 2)
    for events in (3, 4, 5):
        table_of("binomial", "OR", (events, 20, 6, 20))
    assert len(study_table._kept) == 2
    table_of("binomial", "OR", (5, 20, 6, 20))
    assert len(fresh) == 3
    table_of("binomial", "OR", (3, 20, 6, 20))
    assert len(fresh) == 4
