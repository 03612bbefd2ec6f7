"""The report page as a reader uses it: every control of the explorer, by keyboard, in a narrow window, in the dark and on paper."""

import re

import numpy as np
import pytest

from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.posterior.bands import band_probabilities
from bayesmeta.posterior.fit import fit

COUNTS = {"events_e": [8, 12, 3, 0], "n_e": [48, 60, 31, 40], "events_c": [16, 15, 9, 0], "n_c": [49, 58, 30, 41]}


@pytest.fixture
def open_page(chromium, page_file):
    """Open the page in a window of its own; nothing may be written to the console and nothing loaded."""
    pages, messages = [], []

    def opened(width=1280, analysis="1.1", **options):
        page = chromium.new_page(viewport={"width": width, "height": 900}, **options)
        pages.append(page)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on(
            "request", lambda request: messages.append(request.url) if not request.url.startswith("file:") else None
        )
        page.goto(page_file.as_uri())
        if analysis:
            part = page.locator(f"[id='a-{analysis}'] details.explore")
            part.locator("summary").first.click()
            part.locator("table.result").first.wait_for()
            page.part = part
        return page

    yield opened
    for page in pages:
        page.close()
    assert messages == []


def settled(page) -> str:
    """Text of the results, after the changes have been computed."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.part.locator(".numbers").first.inner_text()


def computed(page) -> dict:
    """The numbers behind the results, model scale."""
    settled(page)
    return page.part.evaluate("part => part.explorer.shown.numbers")


def expected(frame, likelihood, **priors) -> dict:
    posterior = fit(frame, measure="RR", likelihood=likelihood, priors=priors, engine="quadrature")
    p = np.array([0.5, 0.025, 0.975])
    return {name: posterior.quantile(term, p) for name, term in (("mu", "mu"), ("fresh", "theta_new"), ("tau", "tau"))}


def assert_close(found: dict, wanted: dict, tolerance: float = 2e-6) -> None:
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope="module")
def frame():
    import pandas as pd

    return pd.DataFrame({"study": list("abcd"), **COUNTS})


def test_it_starts_from_the_result_of_the_run(open_page, hostile, frame):
    page = open_page()
    assert page.title().startswith("Names that could do harm")
    assert_close(
        computed(page), expected(frame, "binomial", mu="Normal(0, 2.82)", tau="HalfNormal(0.5)"), tolerance=1e-5
    )
    rows = page.part.locator("table.result").first.locator("tbody tr")
    for i in range(rows.count()):
        here, run = rows.nth(i).locator("td").all_inner_texts()
        assert here == run, rows.nth(i).inner_text()
    row = next(r for r in hostile.results[0].rows if r["method"] == hostile.results[0].primary and r["term"] == "mu")
    assert f"{row['estimate']:.2f}" in page.part.locator("table.result td").first.inner_text()


def test_priors_and_likelihood(open_page, frame):
    page = open_page()
    part = page.part
    part.get_by_label("normal approximation").check()
    assert_close(computed(page), expected(frame, "normal", mu="Normal(0, 2.82)", tau="HalfNormal(0.5)"))
    tau, mu = part.locator("fieldset.prior").nth(0), part.locator("fieldset.prior").nth(1)
    tau.get_by_label("standard deviation", exact=True).fill("0.2")
    assert_close(computed(page), expected(frame, "normal", mu="Normal(0, 2.82)", tau="HalfNormal(0.2)"))
    tau.get_by_label("Family").select_option("HalfCauchy")
    tau.get_by_label("scale", exact=True).fill("0.3")
    mu.get_by_label("mean", exact=True).fill("-0.2")
    mu.get_by_label("standard deviation", exact=True).fill("0.4")
    assert_close(computed(page), expected(frame, "normal", mu="Normal(-0.2, 0.4)", tau="HalfCauchy(0.3)"))
    part.get_by_label("binomial, exact").check()
    assert_close(computed(page), expected(frame, "binomial", mu="Normal(-0.2, 0.4)", tau="HalfCauchy(0.3)"), 1e-5)
    tau.get_by_label("Family").select_option("LogNormal")
    tau.get_by_label("mean of the log", exact=True).fill("-2.56")
    tau.get_by_label("standard deviation of the log", exact=True).fill("1.74")
    tau.get_by_label("a prior for τ² instead of τ").check()
    assert_close(
        computed(page), expected(frame, "binomial", mu="Normal(-0.2, 0.4)", tau2="LogNormal(-2.56, 1.74)"), 1e-5
    )
    part.get_by_label("normal approximation").check()
    mu.get_by_label("Family").select_option("Flat")
    assert not mu.locator("input[type=range]").is_visible()
    assert_close(computed(page), expected(frame, "normal", mu="Flat()", tau2="LogNormal(-2.56, 1.74)"))
    part.get_by_label("Priors", exact=True).select_option("Turner 2015")
    turner = 'turner2015("mental health indicators", "non-pharmacological vs. placebo / control")'
    assert_close(computed(page), expected(frame, "normal", mu="Flat()", tau=turner))
    part.get_by_role("button", name="Back to the run's result").click()
    assert_close(
        computed(page), expected(frame, "binomial", mu="Normal(0, 2.82)", tau="HalfNormal(0.5)"), tolerance=1e-5
    )


@pytest.mark.parametrize(
    "family", ["HalfNormal", "HalfCauchy", "HalfT", "Uniform", "Exponential", "LogNormal", "LogT", "Gamma", "InvGamma", "Point"]
)  # fmt: skip
def test_every_family_and_its_slider(open_page, family):
    page = open_page(analysis="1.2")
    tau = page.part.locator("fieldset.prior").nth(0)
    tau.get_by_label("Family").select_option(family)
    before = settled(page)
    slider = tau.locator("input[type=range]")
    slider.focus()
    for _ in range(25):
        page.keyboard.press("ArrowRight")
    after = settled(page)
    assert before != after
    assert (slider.get_attribute("aria-valuetext") or "").startswith("τ: ")
    for _ in range(25):
        page.keyboard.press("ArrowLeft")
    assert settled(page) == before
    assert not page.part.locator(".wrong").is_visible()


def test_studies_are_dropped_and_added(open_page, frame):
    import pandas as pd

    page = open_page()
    studies = page.part.locator("fieldset.studies")
    boxes = studies.locator("input[type=checkbox]")
    assert [boxes.nth(i).is_checked() for i in range(5)] == [True, True, True, True, False]
    assert "left out by the run: quasi-randomized" in studies.inner_text()
    # it has no estimate, but the likelihood that the run shows pools it
    assert "; no events in either arm" in studies.inner_text()
    assert (
        page.locator("[id='a-1.1']")
        .locator("text=4 of 5 pooled, 1 of them by the likelihood of the counts only")
        .count()
        == 1
    )
    boxes.nth(0).uncheck()
    priors = {"mu": "Normal(0, 2.82)", "tau": "HalfNormal(0.5)"}
    assert_close(computed(page), expected(frame.iloc[1:], "binomial", **priors), 1e-5)
    assert "3 of 5 studies" in settled(page)
    studies.get_by_role("button", name="All studies").click()
    left_out = {"study": "e", "events_e": 30, "n_e": 40, "events_c": 10, "n_c": 39}
    everything = pd.concat([frame, pd.DataFrame([left_out])], ignore_index=True)
    assert_close(computed(page), expected(everything, "binomial", **priors), 1e-5)
    studies.get_by_role("button", name="Those of the run").click()
    assert [boxes.nth(i).is_checked() for i in range(5)] == [True, True, True, True, False]
    # without events in either arm a study has no estimate for the normal approximation
    page.part.get_by_label("normal approximation").check()
    settled(page)
    assert boxes.nth(3).is_disabled()
    for i in range(3):
        boxes.nth(i).uncheck()
    settled(page)
    assert "tick at least one" in page.part.locator("[role=alert]").inner_text()
    boxes.nth(1).check()
    settled(page)
    assert not page.part.locator("[role=alert]").is_visible()


def test_without_each_study(open_page, frame):
    page = open_page()
    page.part.get_by_text("Without each study in turn").click()
    table = page.part.locator("details.without table")
    table.wait_for()
    assert table.locator("tbody tr").count() == 4
    wanted = expected(frame.iloc[[0, 1, 3]], "binomial", mu="Normal(0, 2.82)", tau="HalfNormal(0.5)")
    assert f"{np.exp(wanted['mu'][0]):.2f}" in table.locator("tbody tr").nth(2).inner_text()


def test_bands(open_page, frame):
    page = open_page()
    bands = page.part.locator("fieldset.bands")
    posterior = fit(frame, measure="RR", priors={"mu": "Normal(0, 2.82)", "tau": "HalfNormal(0.5)"})

    def check(given, better):
        settled(page)
        wanted = band_probabilities(posterior, given, better=better)
        shown = page.part.locator("table.bands tbody tr")
        assert shown.count() == wanted.shape[1]
        for i, values in enumerate(wanted.to_numpy().T):
            for text, value in zip(shown.nth(i).locator("td").all_inner_texts(), values, strict=True):
                assert abs(float(re.sub("[<>]", "", text)) - value) <= 0.0101, (given, better, i)

    assert bands.get_by_label("trivial up to").input_value() == "0.9"
    check({"trivial": 0.9, "small": 0.75}, "lower")
    bands.get_by_label("moderate up to").fill("0.5")
    check({"trivial": 0.9, "small": 0.75, "moderate": 0.5}, "lower")
    bands.get_by_label("Better is").select_option("higher")
    check({"trivial": 0.9, "small": 0.75, "moderate": 0.5}, "higher")
    bands.get_by_label("small up to").fill("0.95")
    settled(page)
    assert "further from no effect" in page.part.locator("[role=alert]").inner_text()
    bands.get_by_label("small up to").fill("")
    settled(page)
    assert 'give "small up to" first' in page.part.locator("[role=alert]").inner_text()
    bands.get_by_label("moderate up to").fill("")
    check({"trivial": 0.9}, "higher")
    bands.get_by_label("trivial up to").fill("")
    settled(page)
    assert page.part.locator("table.bands").count() == 0


def test_the_tests_above_use_every_control(open_page):
    page = open_page()
    names = page.part.locator("form").evaluate(
        "form => [...form.elements].filter(e => e.tagName !== 'FIELDSET').map(e => (e.labels && e.labels[0] || e).innerText.trim())"
    )
    known = ["normal approximation", "binomial, exact", "Priors", "Family", "standard deviation", "Move the standard deviation",
             "a prior for τ² instead of τ", "Family", "mean", "standard deviation", "Move the standard deviation"]  # fmt: skip
    assert names[: len(known)] == known
    rest = [
        "All studies",
        "Those of the run",
        "Better is",
        "trivial up to",
        "small up to",
        "moderate up to",
        "Back to the run's result",
    ]
    assert names[-len(rest) :] == rest
    assert len(names) == len(known) + 5 + len(rest)
    assert all(names)


def test_wrong_numbers_are_refused_in_words(open_page):
    page = open_page(analysis="1.2")
    tau = page.part.locator("fieldset.prior").nth(0)
    before = settled(page)
    for text, message in (("-1", "must be above 0"), ("", "must be a number")):
        tau.locator("input[type=number]").first.fill(text)
        settled(page)
        assert message in page.part.locator("[role=alert]").inner_text()
    assert page.part.locator(".numbers").first.inner_text() == before


def test_by_keyboard_and_screen_reader(open_page):
    page = open_page(analysis=None)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    summary = page.locator("[id='a-1.1'] details.explore > summary")
    summary.focus()
    page.keyboard.press("Enter")
    part = page.part = page.locator("[id='a-1.1'] details.explore")
    part.locator("table.result").first.wait_for()
    live = part.locator("[role=status]")
    assert live.get_attribute("aria-live") == "polite"
    assert live.inner_text().startswith("Pooled risk ratio 0.")
    first = live.inner_text()
    # radio buttons are one stop; the arrows choose
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    settled(page)
    assert page.evaluate("document.activeElement.value") == "normal"
    stops = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        stops.add(page.evaluate("document.activeElement.id || document.activeElement.innerText"))
    assert "Back to the run's result" in stops
    part.locator("fieldset.prior").nth(1).get_by_label("mean", exact=True).fill("-3")
    page.wait_for_function(
        "([part, first]) => part.querySelector('[role=status]').textContent !== first", arg=[part.element_handle(), first]
    )  # fmt: skip
    for drawing in part.locator("svg").all():
        assert drawing.get_attribute("role") == "img"
        assert drawing.get_attribute("aria-label")
    assert part.locator("fieldset").count() == part.locator("fieldset > legend").count()


def test_intervals_in_sentences_do_not_break_lines(open_page):
    """An interval is beneath its estimate in columns of numbers only."""
    page = open_page(analysis="")
    displays = page.evaluate(
        """() => {
          const row = document.querySelector('.table table.data tbody').insertRow();
          row.innerHTML = '<td>Without them: <span class="interval">[1, 2]</span>, 4 studies</td>'
            + '<td class="number">1.5 <span class="interval">[1, 2]</span></td>';
          return [...row.querySelectorAll('.interval')].map(one => getComputedStyle(one).display);
        }"""
    )
    assert displays == ["inline", "block"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_narrow_window(open_page, scheme):
    page = open_page(width=420, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    box, form = page.part.locator(".results").bounding_box(), page.part.locator("form").bounding_box()
    assert box["y"] >= form["y"] + form["height"]
    assert page.part.locator(".drawing svg").bounding_box()["width"] <= 420
    # no text is cut at an edge
    cut = page.part.evaluate("""part => [...part.querySelectorAll("svg text")].filter(text => {
      const box = text.getBoundingClientRect(), own = text.ownerSVGElement.getBoundingClientRect();
      return box.left < own.left - 1.5 || box.right > own.right + 1.5;
    }).map(text => text.textContent)""")
    assert cut == []
    colours = page.evaluate("['color', 'backgroundColor'].map(name => getComputedStyle(document.body)[name])")
    bright = [sum(map(int, re.findall(r"\d+", colour)[:3])) > 380 for colour in colours]
    assert bright == ([True, False] if scheme == "dark" else [False, True])
    table = page.locator("#main-table table")
    cells = table.locator("th.group").first.evaluate(
        "cell => ['color', 'backgroundColor'].map(n => getComputedStyle(cell)[n])"
    )
    assert len({sum(map(int, re.findall(r"\d+", colour)[:3])) > 380 for colour in cells}) == 2


def test_on_paper(open_page):
    page = open_page()
    page.emulate_media(media="print")
    assert not page.locator("nav.contents").is_visible()
    assert not page.part.locator("form").is_visible()
    assert page.part.locator(".results").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not(.explore, .without):not([open])").count() == 0
    assert len(page.pdf()) > 10_000


def test_analyses_follow_each_other_on_paper(open_page):
    page = open_page(analysis=None)
    sizes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", page.pdf(prefer_css_page_size=True))
    upright = [float(width) < float(height) for width, height in sizes]
    # the main table has many columns, and the page they need; what follows is upright
    assert upright == sorted(upright)
    assert upright[0] is False
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.set_viewport_size({"width": 718, "height": 1000})  # what is within the margins of an upright page
    assert set(page.eval_on_selector_all("section", "all => all.map(one => getComputedStyle(one).breakBefore)")) == {
        "auto"
    }
    kept = "section > figure, section .checks, table.data tr"
    assert set(page.eval_on_selector_all(kept, "all => all.map(one => getComputedStyle(one).breakInside)")) == {"avoid"}
    heads = page.eval_on_selector_all("table.data thead", "all => all.map(one => getComputedStyle(one).display)")
    assert set(heads) == {"table-header-group"}


def test_nothing_is_cut_or_covered_on_paper(open_page):
    page = open_page(analysis=None)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.set_viewport_size({"width": 718, "height": 1000})
    boxes = page.eval_on_selector_all(
        "section > figure, section .checks, section > details, section > .table, section > h2",
        """all => all.map(one => one.getBoundingClientRect()).filter(b => b.width && b.height)
            .map(b => [b.left, b.top, b.right, b.bottom])""",
    )
    assert len(boxes) > 4
    for n, (left, top, right, bottom) in enumerate(boxes):
        assert left >= -1, n
        assert right <= 719, n
        for other in boxes[n + 1 :]:
            across = min(right, other[2]) - max(left, other[0])
            down = min(bottom, other[3]) - max(top, other[1])
            assert across < 1 or down < 1, (n, other)
    # small figures are beside each other, with what was checked
    halves = [box for box in boxes if box[2] - box[0] < 400]
    assert any(abs(one[1] - two[1]) < 2 and two[0] > one[2] - 1 for one in halves for two in halves)


def test_images_in_figures_are_not_refused(open_page):
    page = open_page(analysis=None)
    found = page.evaluate("""() => new Promise(done => {
      const image = new Image();
      image.onload = () => done("shown"); image.onerror = () => done("refused");
      image.src = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
    })""")
    assert found == "shown"


def test_names_are_shown_as_they_are(open_page):
    from explorer.conftest import HOSTILE

    page = open_page()
    labels = page.part.locator("fieldset.studies bdi").all_inner_texts()
    assert labels[:4] == list(HOSTILE)
    assert page.locator("img").count() == 0
    assert "broken" not in page.title().split("harm")[0]
    assert page.evaluate("document.scripts.length") == 1 + page.locator("script[type='application/json']").count()


def test_content_is_painted_without_waiting_for_anything_else(open_page):
    page = open_page(analysis=None)
    # the page's policy does not let strings be evaluated, so that playwright's own waiting is refused
    page.evaluate(
        "() => new Promise(done => { const look = () => "
        "performance.getEntriesByName('first-contentful-paint').length ? done(true) : requestAnimationFrame(look); look(); })"
    )
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0


def test_what_the_page_computes_from_is_what_the_run_fitted(hostile, frame):
    from bayesmeta.effects.compute import effect_sizes
    from bayesmeta.reviews.explorer.data import explorer_data
    from bayesmeta.reviews.folder import load_run

    review, results = load_run(hostile.out)
    data = explorer_data(review, review.as_analysis(review.analysis[0]), results[0])
    assert data is not None
    effects = effect_sizes(frame, "RR")
    normal = model_data(effects, "normal")
    found = [(s["y"], s["se"]) for s in data["studies"][:3]]
    np.testing.assert_allclose(found, np.stack([normal.columns["effect"], normal.columns["se"]], axis=1), rtol=1e-11)
    assert data["studies"][3]["y"] is None
    assert [study["fitted"] for study in data["studies"]] == [True, True, True, True, False]
    assert all(study["table"] for study in data["studies"])
