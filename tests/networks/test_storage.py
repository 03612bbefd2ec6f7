"""Networks as files."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError
from bayesmeta.networks.records import from_text, to_text

ARMS = pd.DataFrame(
    [
        ("1", "a/b", 9, 140), ("1", "b", 23, 140), ("1", "c", 10, 138), ("2", "a/b", 11, 78), ("2", "b", 12, 85),
        ("3", "b", 29, 170), ("3", "c", 11, 78), ("4", "a/b", 3, 33), ("4", "c", 9, 48),
    ],
    columns=["study", "treatment", "events", "n"],
).assign(year=[1, 1, 1, 2, 2, 3, 3, 4, 4])  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [{}, {"reference": "c", "better": "lower", "priors": {"d": "independent Normal(0, 100)"}}, {"moderator": "year"}],
)
def test_an_exact_network_has_the_same_numbers(tmp_path, options) -> None:
    net = bm.network(ARMS, "OR", seed=5, **options)
    path = net.save(tmp_path / "net.nc")
    found = bm.load_network(path)
    assert isinstance(found, bm.NetworkPosterior)
    pd.testing.assert_frame_equal(found.summary(), net.summary(), check_exact=True)
    assert (found.better, found.reference, found.seed, found.provenance) == (
        net.better, net.reference, net.seed, net.provenance
    )  # fmt: skip
    pd.testing.assert_frame_equal(bm.ranking(found, better="lower"), bm.ranking(net, better="lower"), check_exact=True)
    if not options:
        pd.testing.assert_frame_equal(bm.node_split(found), bm.node_split(net), check_exact=True)


def test_the_draws_are_there_for_other_programs(tmp_path) -> None:
    import xarray as xr

    net = bm.network(ARMS, "OR")
    with xr.open_datatree(net.save(tmp_path / "net.nc"), engine="netcdf4") as tree:
        draws = tree["posterior"].to_dataset().load()
    assert draws["d"].dims == ("chain", "draw", "contrast")
    assert list(draws["contrast"].values) == ["b vs a/b", "c vs a/b"]
    assert draws.sizes["chain"] * draws.sizes["draw"] == 4000
    mean = draws["d"].mean(("chain", "draw")).values
    np.testing.assert_allclose(mean, [net.mean("b vs a/b"), net.mean("c vs a/b")], atol=0.08)


def test_components_are_stored(tmp_path) -> None:
    rows = [("1", "A+B", "p", 0.5, 0.2), ("2", "A", "p", 0.3, 0.2), ("3", "B", "p", 0.1, 0.2)]
    frame = pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"])
    net = bm.network(frame, "MD", components="+", inactive="p", priors={"d": "Normal(0, 1)", "tau": "HalfNormal(1)"})
    found = bm.load_network(net.save(tmp_path / "net.nc"))
    pd.testing.assert_frame_equal(found.summary(), net.summary(), check_exact=True)


@pytest.mark.parametrize("method", ["REML", "MH", "CE"])
def test_a_frequentist_network_is_stored(tmp_path, method) -> None:
    net = bm.network_meta(ARMS, "OR", method=method, reference="c", level=0.9)
    found = bm.load_network(net.save(tmp_path / "net.nc"))
    assert isinstance(found, bm.NetworkMeta)
    pd.testing.assert_frame_equal(found.summary(), net.summary(), check_exact=True)
    pd.testing.assert_frame_equal(bm.node_split(found), bm.node_split(net), check_exact=True)
    assert (found.reference, found.level, found.notes, found.method) == ("c", 0.9, net.notes, method)


def test_a_sampled_network_has_its_draws(tmp_path) -> None:
    net = bm.network(ARMS, "OR", likelihood="binomial", better="lower", priors={"tau": "HalfNormal(0.3)"}, seed=2)
    found = bm.load_network(net.save(tmp_path / "net.nc"))
    pd.testing.assert_frame_equal(found.summary(), net.summary(), check_exact=True)
    pd.testing.assert_frame_equal(bm.ranking(found), bm.ranking(net), check_exact=True)
    assert (found.dic, found.residual_deviance) == (net.dic, net.residual_deviance)
    assert dict(found.solution.diagnostics) == dict(net.solution.diagnostics)


def test_what_is_no_network_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="no such file"):
        bm.load_network(tmp_path / "none.nc")
    fit = bm.fit(yi=[0.1, 0.2], sei=[0.1, 0.1])
    with pytest.raises(DataError, match="not contain a complete network"):
        bm.load_network(fit.save(tmp_path / "fit.nc"))
    (tmp_path / "text.nc").write_text("text")
    with pytest.raises(DataError, match="not a netCDF file"):
        bm.load_network(tmp_path / "text.nc")
    with pytest.raises(SpecError, match="the path of a file"):
        bm.network(ARMS, "OR").save(3)


def test_values_survive_as_text() -> None:
    value = {"a": np.array([[1.5, np.nan], [np.inf, 0.1 + 0.2]]), "b": (1, "x", None, slice(0, 3)), "c": {"d": True}}
    found = from_text(to_text(value))
    np.testing.assert_array_equal(found["a"], value["a"])
    assert found["b"] == value["b"]
    assert found["c"] == value["c"]
    with pytest.raises(KeyError):
        from_text('{"record": "Path", "fields": {}}')
