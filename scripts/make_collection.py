"""Write a simulated collection of reviews, to measure runs with: ``python scripts/make_collection.py FOLDER --analyses 500``."""

import argparse
from pathlib import Path

import numpy as np

SETTINGS = '[settings]\nengine = "quadrature"\nlikelihoods = [{likelihoods}]\n'


def study_rows(rng: np.random.Generator, k: int, kind: str) -> list[str]:
    """Return the lines of one analysis: k trials of 20 to 400 people around a common effect."""
    effect, tau = rng.normal(-0.2, 0.4), abs(rng.normal(0, 0.3))
    lines = []
    for i in range(k):
        n_e, n_c = (int(n) for n in np.exp(rng.uniform(3, 6, 2)).round())
        theta = effect + tau * rng.normal()
        if kind == "RR":
            risk = rng.beta(1.2, 5)
            other = min(risk * np.exp(theta), 0.99)
            lines.append(f"Trial {i + 1},{rng.binomial(n_e, other)},{n_e},{rng.binomial(n_c, risk)},{n_c}")
        else:
            sd = rng.uniform(5, 12)
            mean = rng.uniform(20, 60)
            shifted = mean + sd * theta + rng.normal() * sd / n_e**0.5
            lines.append(f"Trial {i + 1},{shifted:.2f},{sd:.2f},{n_e},{mean:.2f},{sd * 1.05:.2f},{n_c}")
    return lines


def write_review(folder: Path, name: str, sizes: list[int], likelihoods: str, rng: np.random.Generator) -> None:
    """Write one review: review.toml and two study tables with a column for the analysis."""
    heads = {
        "RR": "analysis,study,events_e,n_e,events_c,n_c",
        "SMD": "analysis,study,mean_e,sd_e,n_e,mean_c,sd_c,n_c",
    }
    tables: dict[str, list[str]] = {kind: [head] for kind, head in heads.items()}
    entries = []
    for i, k in enumerate(sizes):
        kind, label = ("RR" if rng.random() < 0.65 else "SMD"), f"{i // 10 + 1}.{i % 10 + 1}"
        tables[kind] += [f"{label},{line}" for line in study_rows(rng, k, kind)]
        entries.append(
            f'[[analysis]]\nid = "{label}"\noutcome = "Outcome {label}"\ncomparison = "Comparison {i // 10 + 1}"\n'
            f'measure = "{kind}"\ndata = "{kind}.csv"\nwhere = {{ analysis = "{label}" }}\n'
        )
    folder.mkdir(parents=True, exist_ok=True)
    for kind, lines in tables.items():
        (folder / f"{kind}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    head = f'id = "{name}"\ntitle = "Simulated review {name}"\nnotice = "Simulated numbers, to measure runs with."\n'
    (folder / "review.toml").write_text(
        head + SETTINGS.format(likelihoods=likelihoods) + "\n" + "\n".join(entries), encoding="utf-8"
    )


def main() -> None:
    """Write reviews of 20 to 60 analyses; half of the analyses have four studies or fewer, one in 400 has 180."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--analyses", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--likelihoods", nargs="+", default=["normal"], choices=["normal", "arm-level"])
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    likelihoods = ", ".join(f'"{name}"' for name in given.likelihoods)
    left, number = given.analyses, 0
    while left > 0:
        count = min(left, int(rng.integers(20, 61)))
        sizes = np.clip(np.round(np.exp(rng.normal(np.log(4), 0.9, count))), 1, 180).astype(int)
        sizes[rng.random(count) < 1 / 400] = 180
        number += 1
        write_review(given.folder / f"MU{number:04d}", f"MU{number:04d}", list(map(int, sizes)), likelihoods, rng)
        left -= count


if __name__ == "__main__":
    main()
