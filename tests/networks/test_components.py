"""Component networks against netmeta's netcomb and discomb, interactions, and what is not identified."""

import numpy as np
import pandas as pd
import pytest
from networks.reference_data import REFERENCE, contrast_frame, numbers

from bayesmeta.errors import DataError, SpecError
from bayesmeta.networks.frequentist.components import component_matrix, component_network
from bayesmeta.networks.frequentist.fit import network_meta

FACE = REFERENCE["components"]["Linde2016_face"]
APART = REFERENCE["components"]["smoking_disconnected"]
MODELS = {"common": "CE", "random": "DL"}


@pytest.mark.parametrize("model", MODELS)
def test_additive_components(model: str) -> None:
    there = FACE["fit"]
    net = component_network(contrast_frame(FACE["contrasts"]), "OR", inactive="Placebo", method=MODELS[model])
    found = net.components.loc[there["comps"]]
    assert found.estimate.to_numpy() == pytest.approx(there[f"Comp_{model}"], rel=1e-12)
    assert found.se.to_numpy() == pytest.approx(there[f"seComp_{model}"], rel=1e-12)
    assert found.pvalue.to_numpy() == pytest.approx(there[f"pval_Comp_{model}"], rel=1e-12)
    names = there["combinations"]
    assert net.combinations().loc[names, "se"].to_numpy() == pytest.approx(there[f"seComb_{model}"], rel=1e-12)
    close = {"rel": 1e-12, "abs": 1e-13}
    assert net.effects.loc[names, names].to_numpy() == pytest.approx(numbers(there[f"TE_{model}"]), **close)
    assert net.se.loc[names, names].to_numpy() == pytest.approx(numbers(there[f"seTE_{model}"]), **close)
    assert net.tau2 == (pytest.approx(there["tau2"], rel=1e-12) if model == "random" else 0)
    assert (net.q, net.q_df) == (pytest.approx(there["Q_additive"], rel=1e-12), there["df_Q_additive"])
    assert (net.q_difference, net.q_difference_df) == (pytest.approx(there["Q_diff"], rel=1e-12), there["df_Q_diff"])
    assert net.q_difference_pvalue == pytest.approx(there["pval_Q_diff"], rel=1e-12)
    assert net.i2 == pytest.approx(100 * there["I2"], rel=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_parts_that_share_no_component(model: str) -> None:
    """Within a part effects are those of netmeta; between parts, and of components, nothing is known."""
    there = APART["fit"]
    net = component_network(contrast_frame(APART["contrasts"]), "OR", method=MODELS[model])
    for one, two in (("A", "B"), ("C", "D")):
        at = there["combinations"].index(one), there["combinations"].index(two)
        assert net.effects.loc[one, two] == pytest.approx(there[f"TE_{model}"][at[0]][at[1]], rel=1e-12)
        assert net.se.loc[one, two] == pytest.approx(there[f"seTE_{model}"][at[0]][at[1]], rel=1e-12)
    assert np.isnan(net.effects.loc["A", "C"])
    assert net.components.estimate.isna().all()
    assert (net.q, net.q_df) == (pytest.approx(there["Q_additive"], rel=1e-12), 5)
    assert np.isnan(net.q_difference)


def test_components_connect_parts() -> None:
    rows = [("1", "A + B", "placebo", 0.5, 0.1), ("2", "A", "B", 0.1, 0.1)]
    frame = pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"])
    net = component_network(frame, "MD", inactive="placebo", method="CE")
    assert net.components.estimate.tolist() == pytest.approx([0.3, 0.2])
    with pytest.raises(DataError, match="parts that no study connects"):
        network_meta(frame, "MD")


def test_an_interaction_that_saturates_is_the_network() -> None:
    data = contrast_frame(FACE["contrasts"])
    net = component_network(data, "OR", inactive="Placebo", interactions="Face-to-face PST*SSRI", method="DL")
    plain = network_meta(data, "OR", method="DL")
    assert net.effects.to_numpy() == pytest.approx(plain.effects.to_numpy(), rel=1e-10, abs=1e-12)
    assert net.q_difference == pytest.approx(0, abs=1e-12)
    assert net.names[-1] == "Face-to-face PST*SSRI"
    assert net.p_scores().to_numpy() == pytest.approx(plain.p_scores().to_numpy(), rel=1e-9)


def test_the_matrix_of_components() -> None:
    names, matrix = component_matrix(["A+B", "a+C", "P", "B"], "+", ["A+B"], "P")
    assert names == ("A", "a", "B", "C", "A*B")
    assert matrix.tolist() == [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [0] * 5, [0, 0, 1, 0, 0]]
    with pytest.raises(SpecError, match="unknown component 'Q'"):
        component_matrix(["A+B", "P"], "+", (), "Q")
    with pytest.raises(SpecError, match=r"component of the interaction 'A\*Z'"):
        component_matrix(["A+B", "P"], "+", ["A*Z"], "P")
    with pytest.raises(SpecError, match=r"no treatment has the components of the interaction 'A\*C' together"):
        component_matrix(["A+B", "C"], "+", ["A*C"])
    with pytest.raises(SpecError, match="choose method CE"):
        component_network(contrast_frame(FACE["contrasts"]), "OR", method="MH")
