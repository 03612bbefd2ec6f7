"""`bayesmeta models` and `bayesmeta priors`."""


def test_models_are_listed(command):
    code, out, _ = command("models")
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()]
    assert names == sorted(names)
    assert {"binary_rr", "continuous_smd", "generic_normal"} <= set(names)
    assert all(len(line.split()) > 3 for line in out.splitlines())


def test_priors_are_listed(command, refused):
    code, out, _ = command("priors")
    assert code == 0
    for part in ("HalfNormal(sd)", "turner2015(outcome, comparison)", "rhodes2015"):
        assert part in out
    for name in ("turner2015", "rhodes2015"):
        code, out, _ = command("priors", name)
        assert code == 0
        assert len(out.splitlines()) > 10
        assert all(" | " in line for line in out.splitlines())
    assert "did you mean 'turner2015'?" in refused("priors", "turner2016")
