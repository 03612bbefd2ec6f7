"""Files of fits that were damaged, changed or made by others: one message each, and never other numbers."""

from __future__ import annotations

import random

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesmeta as bm
from bayesmeta.errors import BayesmetaError, DataError

ARMS = pd.DataFrame(
    [("1", "a", 5, 50), ("1", "b", 9, 50), ("2", "a", 7, 60), ("2", "b", 12, 61), ("3", "b", 7, 70), ("3", "c", 3, 70)],
    columns=["study", "treatment", "events", "n"],
)
LOADERS = {"posterior": bm.load_posterior, "network": bm.load_network, "categories": bm.load_categories}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fits")
    fit = bm.fit(yi=[0.1, 0.4, 0.2], sei=[0.1, 0.2, 0.15], measure="SMD")
    net = bm.network_meta(bm.read_arms(ARMS), "OR")
    return {"posterior": fit.save(folder / "p.nc"), "network": net.save(folder / "n.nc")}


def refused(load, path):
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert not any(word in message for word in ("Errno", "NetCDF:", "xarray", "object"))
    return message


@pytest.mark.parametrize("kind", LOADERS)
def test_files_of_something_else(kind, files, tmp_path):
    load = LOADERS[kind]
    (tmp_path / "empty.nc").write_bytes(b"")
    xr.Dataset({"a": ("x", np.arange(3.0))}).to_netcdf(tmp_path / "other.nc")
    with netCDF4.Dataset(tmp_path / "huge.nc", "w") as huge:  # says that it has 80 terabytes
        for group in (huge, huge.createGroup("posterior")):
            group.createDimension("x", 10**9)
            group.createDimension("y", 10**4)
            group.createVariable("v", "f8", ("x", "y"), zlib=True)
    for name in ("empty.nc", "other.nc", "huge.nc"):
        assert name in refused(load, tmp_path / name)
    assert "device or a pipe" in refused(load, "/dev/zero")
    assert "no such file" in refused(load, tmp_path / ("a" * 5000))
    for other, path in files.items():
        if other != kind:
            assert "does not contain" in refused(load, path)


@pytest.mark.parametrize("kind", ["posterior", "network"])
def test_damaged_files_are_refused_or_give_the_same_numbers(kind, files, tmp_path):
    load, content, chance = LOADERS[kind], files[kind].read_bytes(), random.Random(3)
    whole, path = load(files[kind]).summary(), tmp_path / "damaged.nc"
    for i in range(24):
        damaged = bytearray(content)
        if i % 3 == 0:
            damaged = damaged[: chance.randrange(len(damaged))]
        elif i % 3 == 1:
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        else:
            at = chance.randrange(min(len(damaged), 6000) - 30)
            damaged[at : at + 30] = chance.randbytes(30)
        path.write_bytes(damaged)
        try:
            found = load(path)
        except BayesmetaError:
            continue
        pd.testing.assert_frame_equal(found.summary(), whole, check_exact=True)


def test_a_changed_draw_is_noticed(files, tmp_path):
    content = bytearray(files["posterior"].read_bytes())
    draws = bm.load_posterior(files["posterior"]).draws["posterior"]["mu"].values
    at = content.find(np.ascontiguousarray(draws).tobytes()[:64])
    assert at > 0
    content[at + 6] ^= 1
    (tmp_path / "changed.nc").write_bytes(content)
    assert "damaged or changed after it was written" in refused(bm.load_posterior, tmp_path / "changed.nc")


def test_the_library_of_netcdf_never_sees_a_damaged_file(files, tmp_path, monkeypatch):
    """It may end the process at damage in its own structures, which are the first bytes of a file."""
    content = bytearray(files["posterior"].read_bytes())
    content[40] ^= 1
    (tmp_path / "damaged.nc").write_bytes(content)
    monkeypatch.setattr(xr, "open_datatree", None)
    assert "damaged or changed after it was written" in refused(bm.load_posterior, tmp_path / "damaged.nc")


def test_files_of_earlier_versions_have_no_digest(files, tmp_path):
    with xr.open_datatree(files["network"]) as tree:
        tree.load().to_netcdf(tmp_path / "old.nc", engine="netcdf4")
    assert bm.load_network(tmp_path / "old.nc").reference == "a"


def test_files_are_read_by_other_programs(files):
    with netCDF4.Dataset(files["posterior"]) as one:
        assert "posterior" in one.groups
