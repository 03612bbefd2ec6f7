"""The explorers of every measure and likelihood start from the result of the run, to the digits that are printed."""

from bayesmeta.reviews.report.page import write_report

#: opens every explorer and returns, for each, what is wrong: a message, or rows in which it differs from the run
OPEN_ALL = """
async () => {
  const parts = [...document.querySelectorAll("details.explore")], found = [];
  for (const part of parts) {
    part.open = true;
    while (!part.explorer) await new Promise(done => setTimeout(done, 20));
    const alert = part.querySelector("[role=alert]"), rows = [...part.querySelector("table.result").tBodies[0].rows];
    const texts = rows.map(row => [...row.cells].map(cell => cell.textContent));
    const other = texts.filter(([, here, run]) => run && here !== run).map(text => text.join(" | "));
    found.push([part.parentElement.id, alert.hidden ? "" : alert.textContent, other, texts.length]);
  }
  return found;
}
"""


def test_every_explorer_starts_from_the_result_of_the_run(every_measure, chromium):
    messages = []
    page = chromium.new_page()
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(write_report(every_measure.out).as_uri())
    found = page.evaluate(OPEN_ALL)
    page.close()
    assert len(found) > 30
    assert [one for one in found if one[1] or one[2]] == []
    assert {rows for *_, rows in found} == {5}
    assert messages == []
