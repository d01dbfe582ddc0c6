"""Which submissions resemble each other, and where: something to look at, never a verdict.

Code is cut into overlapping pieces of :data:`PIECE` words, as document fingerprints are (Schleimer, Wilkerson and
Aiken, Winnowing, SIGMOD 2003; a class is small, so every piece is kept and none is sampled). What a student may change
without thinking is left out before: comments, docstrings, layout, the names of variables, the values of numbers and
texts. What was given is left out too. A piece counts the more, the fewer others wrote it.

Nothing is executed and nothing leaves the machine: the texts are read by Pygments, which takes anything for code.
"""

import bisect
import builtins
import csv
import functools
import itertools
import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from facelab import __version__
from facelab.coursework.feedback import render
from facelab.coursework.submissions import Submission, code_cells, csv_cell, find_submissions, read_notebook, said
from facelab.errors import FacelabError
from facelab.files import atomic_write

PIECE = 10  # words in a piece: about one line of NumPy
LEAST = 20  # rare pieces that a submission must hold to be compared: two lines of its own
LARGEST = 200_000  # characters of code; assignments have some thousand
MOST_PASSAGES = 12  # of a pair, on the page
SHOWN = 40  # pairs with their lines on the page; the table of all pairs is the CSV file
SOLUTION = "(reference solution)"  # takes part, as it may be found in public


@dataclass(frozen=True)
class Code:
    """The code of one submission, cut into lines and words.

    Attributes:
        name: of the submission.
        cells: the sources of its code cells.
        given: names that were given to everybody, which are kept as they are.
        note: why it is not compared; empty if it is.
        student: a student handed it in; the reference solution nobody did.
    """

    name: str
    cells: Sequence[str] = ()
    given: frozenset[str] = frozenset()
    note: str = ""
    student: bool = True

    @cached_property
    def lines(self) -> list[tuple[int, int, str]]:
        """Cell (from 1), line in it (from 1), and text of each line that is not blank."""
        return [
            (cell, number, line.rstrip())
            for cell, source in enumerate(self.cells, 1)
            for number, line in enumerate(source.splitlines(), 1)
            if line.strip()
        ]

    @cached_property
    def pieces(self) -> dict[str, list[range]]:
        """For each piece where it stands, as ranges of indices into ``lines``."""
        found: dict[str, list[range]] = defaultdict(list)
        for _, group in itertools.groupby(enumerate(self.lines), key=lambda entry: entry[1][0]):
            block = list(group)
            first = block[0][0]
            read = words([line for _, (_, _, line) in block], self.given)
            for start in range(len(read) - PIECE + 1):
                part = read[start : start + PIECE]
                where = range(first + part[0][1], first + part[-1][1] + 1)
                found[" ".join(word for word, _ in part)].append(where)
        return found


def words(lines: Sequence[str], given: Iterable[str] = ()) -> list[tuple[str, int]]:
    """Return the words of a cell without what is easily changed, and the line (from 0) of each.

    A name stays if it was given, is Python's own, an attribute, an argument's name in a call, or imported; an imported
    name is written as it is called at its source. Every other name is ``N``, every number ``0``, every text ``S``.

    Args:
        lines: of the cell; none is blank.
        given: names that stay.

    Example:
        >>> [word for word, _ in words(["total = np.sum(values, axis=1)  # of each row"], {"np"})]
        ['N', '=', 'np', '.', 'sum', '(', 'N', ',', 'axis', '=', '0', ')']
    """
    return list(_words(tuple(lines), frozenset(given)))


@functools.lru_cache(maxsize=256)  # given cells stand in every submission
def _words(lines: tuple[str, ...], given: frozenset[str]) -> tuple[tuple[str, int], ...]:
    from pygments import lexers, token

    text = "\n".join(lines)
    starts = [0, *itertools.accumulate(len(line) + 1 for line in lines)]
    imported = {short: full for full, short in re.findall(r"\b([\w.]+)[ \t]+as[ \t]+(\w+)", text)}
    imported |= {
        name: name
        for names in re.findall(r"^[ \t]*(?:from[ \t]+[\w.]+[ \t]+)?import[ \t]+([\w, \t]+)", text, re.MULTILINE)
        for name in re.findall(r"\w+", names)
        if name not in imported and name != "as"
    }
    kept = given | _BUILTINS
    read = [
        (kind, word, bisect.bisect_right(starts, place) - 1)
        for place, kind, word in lexers.PythonLexer().get_tokens_unprocessed(text)
        if word.strip() and kind not in token.Comment and kind is not token.String.Doc
    ]
    result: list[tuple[str, int]] = []
    depth, text_before = 0, False
    for number, (kind, word, line) in enumerate(read):
        depth += (word in "([{") - (word in ")]}")
        if kind in token.String:
            if not text_before:
                result.append(("S", line))
        elif kind in token.Number:
            result.append(("0", line))
        elif kind in token.Name and kind is not token.Name.Namespace and kind is not token.Name.Decorator:
            attribute = number > 0 and read[number - 1][1] == "."
            argument = depth > 0 and number + 1 < len(read) and read[number + 1][1] == "="
            stays = attribute or argument or word in kept
            result.append((imported.get(word, word if stays else "N") if not attribute else word, line))
        else:
            result.append((word, line))
        text_before = kind in token.String
    return tuple(result)


_BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_"))


def rarity(wrote: int, others: int) -> float:
    """Return how much a piece counts that ``wrote`` of the ``others`` wrote too: 1 if nobody did, 0 if everybody did.

    The inverse document frequency of those who are not compared: :math:`1 - \\log(1 + w) / \\log(1 + o)`.
    """
    return 1.0 if others == 0 else 1.0 - math.log1p(wrote) / math.log1p(others)


@dataclass(frozen=True)
class Passage:
    """Lines of two submissions that share pieces.

    Attributes:
        first: indices into the lines of the first.
        second: indices into the lines of the second.
        wrote: how many of the others wrote the rarest piece of it.
        weight: its pieces, each counted by its rarity.
    """

    first: range
    second: range
    wrote: int
    weight: float


@dataclass(frozen=True)
class Pair:
    """Two submissions beside each other.

    Attributes:
        first: one.
        second: the other.
        shared: pieces that both wrote, each counted by its rarity.
        of_first: the share of the first's pieces that are shared, so counted, 0 to 1.
        of_second: the same of the second.
        note: why they are not compared; empty if they are.
    """

    first: Code
    second: Code
    shared: float = 0.0
    of_first: float = 0.0
    of_second: float = 0.0
    note: str = ""

    @property
    def similarity(self) -> float:
        """The harmonic mean of both shares (Dice), 0 to 1."""
        total = self.of_first + self.of_second
        return 2 * self.of_first * self.of_second / total if total else 0.0


@dataclass(frozen=True)
class Comparison:
    """All submissions of one assignment.

    Attributes:
        codes: the submissions, and the reference solution if there is one.
        given: the pieces of what students were given.
    """

    codes: Sequence[Code]
    given: frozenset[str] = frozenset()
    title: str = ""
    _own: dict[int, frozenset[str]] = field(default_factory=dict, repr=False)
    _written: dict[int, Counter[int]] = field(default_factory=dict, repr=False)

    def own(self, code: Code) -> frozenset[str]:
        """Return the pieces of a submission that were not given."""
        if id(code) not in self._own:
            self._own[id(code)] = frozenset(code.pieces) - self.given
        return self._own[id(code)]

    @cached_property
    def readable(self) -> list[Code]:
        """The submissions that can be compared."""
        return [code for code in self.codes if not code.note]

    @cached_property
    def wrote(self) -> Counter[str]:
        """How many students wrote each piece; the reference solution is no student."""
        return Counter(piece for code in self.readable if code.student for piece in self.own(code))

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every pair, the most similar first; those that hold too little to be compared last."""
        found = [self._pair(first, second) for first, second in itertools.combinations(self.readable, 2)]
        return sorted(found, key=lambda pair: (bool(pair.note), -pair.similarity, -pair.shared, pair.first.name))

    def passages(self, pair: Pair) -> list[Passage]:
        """Return the lines that two submissions share, the weightiest first, without what nearly all wrote."""
        seen = _students((pair.first, pair.second))
        others = _students(self.readable) - seen
        firsts, seconds = (
            ({}, {}) if pair.note else (_blocks(code, self._shared(pair)) for code in (pair.first, pair.second))
        )
        together: dict[tuple[range, range], list[str]] = defaultdict(list)
        for piece in self._shared(pair):
            for first, second in itertools.product(firsts.get(piece, ()), seconds.get(piece, ())):
                together[first, second].append(piece)
        found = [
            Passage(*lines, min(wrote), sum(rarity(number, others) for number in wrote))
            for lines, pieces in together.items()
            if (wrote := [self.wrote[piece] - seen for piece in pieces])
        ]
        shown: list[Passage] = []
        for one in sorted(found, key=lambda one: (-one.weight, one.first.start)):
            # Where both stand beside something else already, it is a turn of phrase that several functions share.
            seen_before = {each.first for each in shown}, {each.second for each in shown}
            if one.weight >= 1 and not (one.first in seen_before[0] and one.second in seen_before[1]):
                shown.append(one)
        return shown

    def _shared(self, pair: Pair) -> frozenset[str]:
        return self.own(pair.first) & self.own(pair.second)

    def _pair(self, first: Code, second: Code) -> Pair:
        pair = Pair(first, second)
        seen = _students((first, second))
        others = _students(self.readable) - seen
        common = Counter(self.wrote[piece] for piece in self._shared(pair))
        shared = sum(times * rarity(wrote - seen, others) for wrote, times in common.items())
        whole = []
        for code in (first, second):
            alone, itself = self._counts(code) - common, _students([code])
            whole.append(shared + sum(times * rarity(wrote - itself, others) for wrote, times in alone.items()))
        if min(whole) < LEAST:
            return Pair(first, second, note="too little code that others did not write too")
        return Pair(first, second, shared, shared / whole[0], shared / whole[1])

    def _counts(self, code: Code) -> Counter[int]:
        """How many of a submission's pieces were written by one student, by two, ..."""
        if id(code) not in self._written:
            self._written[id(code)] = Counter(self.wrote[piece] for piece in self.own(code))
        return self._written[id(code)]


def _students(codes: Iterable[Code]) -> int:
    return sum(code.student for code in codes)


def _blocks(code: Code, pieces: Iterable[str]) -> dict[str, list[range]]:
    """The runs of lines that hold pieces, without a gap and in one cell: for each piece those that it stands in."""
    places = sorted((where.start, where.stop) for piece in pieces for where in code.pieces[piece])
    runs: list[range] = []
    for start, stop in places:
        if runs and start <= runs[-1].stop and code.lines[start][0] == code.lines[runs[-1].start][0]:
            runs[-1] = range(runs[-1].start, max(stop, runs[-1].stop))
        else:
            runs.append(range(start, stop))
    begins = [run.start for run in runs]
    return {
        piece: sorted({runs[bisect.bisect_right(begins, where.start) - 1] for where in code.pieces[piece]}, key=min)
        for piece in pieces
    }


def compare(dist: Path | str, submissions: Path | str) -> Comparison:
    """Read what students were given and what they handed in.

    Args:
        dist: the folder of one assignment that ``facelab coursework build`` made.
        submissions: the folder of the notebooks; of one student the last one counts.

    Raises:
        FacelabError: a folder does not hold what it should. What a submission holds is never an error but a note.
    """
    given, solution = (next(iter(sorted(Path(dist, part).glob("*.ipynb"))), None) for part in ("student", "grader"))
    if given is None:
        raise FacelabError(
            f"{dist} holds no student/*.ipynb: give the folder of one assignment that facelab coursework build made."
        )
    cells = code_cells(given)
    names = frozenset(re.findall(r"\b[^\W\d]\w*\b", "\n".join(cells)))
    codes = [_read(one, names) for one in find_submissions(submissions) if not one.superseded]
    if solution is not None:
        codes.append(Code(SOLUTION, _solution(solution), names, student=False))
    return Comparison(codes, frozenset(Code("", cells, names).pieces), title=given.stem)


def _read(submission: Submission, given: frozenset[str]) -> Code:
    if submission.reason:
        return Code(submission.key, note=submission.reason)
    try:
        cells = code_cells(submission.path)
    except FacelabError as error:
        return Code(submission.key, note=said(error, submission.path))
    size = sum(map(len, cells))
    if size > LARGEST:
        return Code(submission.key, note=f"{size:,} characters of code, more than {LARGEST:,}")
    code = Code(submission.key, cells, given)
    return code if code.pieces else Code(submission.key, note="no code to compare")


def _solution(source: Path) -> list[str]:
    """Return the cells of a source notebook that answer its questions."""
    inside, found = False, []
    for cell in read_notebook(source)["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "raw":
            inside = text.strip().upper().startswith("# BEGIN SOLUTION")
        elif cell["cell_type"] == "code" and inside:
            found.append(text)
    return found


COLUMNS = ("first", "second", "similarity", "of_first", "of_second", "shared", "note")


def write(comparison: Comparison, page: Path | str) -> Path:
    """Write the page, with the lines of the most similar pairs, and beside it a table of all pairs (CSV).

    Args:
        comparison: of the submissions.
        page: the HTML file.

    Returns:
        The CSV file.
    """
    page = Path(page)
    table = page.with_suffix(".csv")
    rows = [
        (
            pair.first.name,
            pair.second.name,
            *(("",) * 4 if pair.note else _numbers(pair)),
            pair.note,
        )
        for pair in comparison.pairs
    ]
    rows += [(code.name, "", "", "", "", "", code.note) for code in comparison.codes if code.note]
    with atomic_write(table) as temporary, temporary.open("w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, *([csv_cell(value) for value in row] for row in rows)])
    _write_page(comparison, page, table.name)
    return table


def _numbers(pair: Pair) -> list[str]:
    shares = (pair.similarity, pair.of_first, pair.of_second)
    return [*(f"{share:.3f}" for share in shares), f"{pair.shared:.1f}"]


def _write_page(comparison: Comparison, page: Path, table: str) -> None:
    compared = [pair for pair in comparison.pairs if not pair.note]
    values = [pair.similarity for pair in compared if pair.first.student and pair.second.student]
    bins = Counter(min(int(10 * value), 9) for value in values)
    render(
        "similar.html.j2",
        page,
        title=f"Similar submissions: {comparison.title}",
        version=__version__,
        table=table,
        students=_students(comparison.readable),
        solution=SOLUTION,
        unread=[code for code in comparison.codes if code.note],
        shown=[(pair, comparison.passages(pair)[:MOST_PASSAGES]) for pair in compared[:SHOWN]],
        compared=len(compared),
        left_out=len(comparison.pairs) - len(compared),
        median=statistics.median(values) if values else None,
        bins=[(number, bins[number]) for number in range(10)],
        most=max(bins.values(), default=1),
        text=_text,
        place=_place,
    )


def _text(code: Code, lines: range) -> str:
    """Lines as the page shows them: no character that would turn, hide or break what stands there."""
    text = "\n".join(code.lines[number][2] for number in lines)
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _place(code: Code, lines: range) -> str:
    first, last = code.lines[lines.start], code.lines[lines.stop - 1]
    return f"code cell {first[0]}, " + (f"line {first[1]}" if first == last else f"lines {first[1]} to {last[1]}")
