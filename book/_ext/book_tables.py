"""The book's tables: Markdown of rows, and what is mended in tables as HTML."""

import re
from collections.abc import Iterable


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """The lines of a table; a cell may hold a vertical bar."""
    cells = [list(head), *map(list, rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in cells]


def mended(body: str) -> str:
    """The HTML of a page whose tables have one row of names, and intervals that are marked."""
    body = re.sub(r"<thead>.*?</thead>", lambda head: joined(head[0]), body, flags=re.DOTALL)
    return re.sub(r"<td\b.*?</td>", lambda cell: marked(cell[0]), body, flags=re.DOTALL)


def joined(head: str) -> str:
    """The head of a table, its last two rows as one if no column has a name in both.

    pandas gives the names of a table's rows a row of their own, with nothing above and beside them.
    """
    rows = re.findall(r"<tr\b.*?</tr>", head, re.DOTALL)
    cells = [re.findall(r"<th>(.*?)</th>", row, re.DOTALL) for row in rows[-2:]]
    if len({len(row) for row in cells}) != 1 or len(rows) < 2 or not cells[0]:
        return head  # a name over several columns, or no table of pandas
    if any(map(all, zip(*cells, strict=True))):
        return head
    names = iter(map("".join, zip(*cells, strict=True)))
    row = re.sub(r"<th>.*?</th>", lambda _: f"<th>{next(names)}</th>", rows[-2], flags=re.DOTALL)
    return head.replace(rows[-1], "").replace(rows[-2], row)


def marked(cell: str) -> str:
    """A cell whose intervals, such as ``0.91 [0.90, 0.92]``, end no line inside on a wide page (facelab.css)."""
    return re.sub(r"\[[-−+\d.%]+, [-−+\d.%]+\]", r'<span class="interval">\g<0></span>', cell)
