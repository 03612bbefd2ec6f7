"""A table as CSV."""

from __future__ import annotations

import csv
import io

from bayesmeta.reporting.tables.layout import NOTE, Table, plain


def to_csv(table: Table) -> str:
    """Write the table as CSV; its last column ``Note`` has the note of the row and the notice of the table.

    Returns
    -------
    str
        UTF-8 text, comma separated, lines ending in a line feed, one header line and nothing beneath the rows.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [str(name) for name in table.frame.columns]
    kept = [i for i, name in enumerate(names) if name != NOTE]
    notice = table.notice or " ".join(note.rstrip(".") + "." for note in table.notes)
    writer.writerow([*(names[i] for i in kept), NOTE])
    for record in table.frame.itertuples(index=False, name=None):
        cells = [plain(value) for value in record]
        own = cells[names.index(NOTE)] if NOTE in names else ""
        joined = f"{own.rstrip('.')}. {notice}" if own and notice else own or notice
        writer.writerow([*(cells[i] for i in kept), plain(joined)])
    return stream.getvalue()
