"""The leaderboard of assignment 6: every entry is measured anew from its embeddings, with intervals, by people.

An entry is a file ``entry.npz`` with one array, ``embeddings``: a row for each of the 400 photographs of
:func:`facelab.data.load_orl`, in its order. Nothing of it is executed or unpickled.

What this can see: files that are no embeddings, labels in the place of embeddings, copies of a file. What it cannot see
is said in :data:`UNSEEN`.
"""

import csv
import hashlib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np

from facelab import __version__
from facelab.coursework.feedback import render
from facelab.errors import FacelabError, count
from facelab.evaluate import (
    Comparison,
    Estimate,
    Roc,
    Scores,
    auc,
    compare_scores,
    holm,
    pair_scores,
    roc,
    tar_at_far,
    verification_of_pairs,
)
from facelab.files import atomic_write, read_bytes, read_json, write_json

# Drawn once: numpy.random.default_rng(0).permutation(40). The public half is the ten strangers of chapter 00, whose
# results the book shows, so it was used up before the course began.
PUBLIC = tuple(f"s{one:02d}" for one in (2, 3, 4, 5, 12, 19, 24, 25, 28, 35))
PRIVATE = tuple(f"s{one:02d}" for one in (1, 11, 18, 21, 23, 27, 29, 31, 38, 39))
TEST = tuple(sorted(PUBLIC + PRIVATE))
DEVELOPMENT = tuple(one for one in (f"s{number:02d}" for number in range(1, 41)) if one not in TEST)
IDENTITIES = np.repeat([f"s{number:02d}" for number in range(1, 41)], 10)  # of the rows of an entry

BASELINE = "synthfaces-arcface"  # what entries are compared with
FAR = 0.01
LARGEST = 64 << 20  # bytes of a file, and of the array in it
DIMENSIONS = (2, 4096)
DIGITS = 6  # of a cosine; what differs less is a tie
UNSEEN = (
    "Not seen here: training or tuning on the test people, other pretrained networks, labels with noise on them. The "
    "code, which is handed in too, shows them: let it make the embeddings again before a mark depends on them."
)


@dataclass(frozen=True, eq=False)
class Entry:
    """What somebody handed in.

    Attributes:
        student: whose folder or file it is; on no board.
        name: on the board, of the file's SHA-256: known to who has the file.
        embeddings: shape (400, d), of length 1, or None.
        refused: why it is not measured, or ``""``.
        notes: what a person should look at.
    """

    student: str
    name: str = ""
    embeddings: np.ndarray | None = None
    refused: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Standing:
    """An entry on the board.

    Attributes:
        entry: which.
        tar, auc: on the test people that are shown.
        development: TAR on the people of the training.
        difference: of TAR to the baseline, paired.
        p_value: of no difference, after Holm's correction for the number of entries.
        rank: 1 for the highest TAR; equal ones share it.
        tie: whether no difference to the first is shown.
    """

    entry: Entry
    tar: Estimate
    auc: Estimate
    development: float
    difference: Comparison
    p_value: float = float("nan")
    rank: int = 0
    tie: bool = False

    @property
    def against_baseline(self) -> str:
        """In words, at a level of 5 % after Holm's correction."""
        if not self.p_value < 0.05:
            return "no difference shown"
        return "higher" if self.difference.difference.value > 0 else "lower"


@dataclass(frozen=True, eq=False)
class Board:
    """Entries, and how far the test people are used up.

    Attributes:
        people: who is measured on.
        final: whether these are all test people.
        baselines: by name, measured in the same way; not ranked.
        rows: by rank.
        aside: entries that are not ranked, with the reason.
        tried: how many different entries were measured on the public half so far, those of earlier runs too.
        opened: how many were measured on the private half.
    """

    people: tuple[str, ...]
    final: bool
    baselines: dict[str, Standing]
    rows: list[Standing]
    aside: list[Entry]
    tried: int
    opened: int

    def luck(self) -> float:
        """Return by how much the best of equally good entries would seem better than they are, on these people.

        The expected largest of n normal values (G. Blom, 1958) times the usual standard error of a difference to the
        baseline; entries that resemble each other give less.
        """
        from scipy.special import ndtri, stdtrit

        tried = self.opened if self.final else self.tried
        errors = [
            (row.difference.difference.high - row.difference.difference.low)
            / (2 * float(stdtrit(len(self.people) - 1, 0.975)))
            for row in self.rows
        ]
        return float(ndtri((tried - 0.375) / (tried + 0.25)) * np.median(errors)) if tried > 1 and errors else 0.0


def write_entry(path: Path | str, embeddings: np.ndarray) -> str:
    """Write embeddings of all photographs as an entry; return its name on the board.

    Args:
        path: of the file, ``entry.npz``.
        embeddings: shape (400, d), one row for each photograph in the order of :func:`facelab.data.load_orl`.

    Raises:
        FacelabError: they are no entry; the message says why.
    """
    values = np.asarray(embeddings)
    _check_form(values.shape, values.dtype)
    if aside := _looks(_checked(values.astype(np.float32)))[1]:
        raise FacelabError(aside)
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, embeddings=values.astype(np.float32))
    return read_entry(path).name


def read_entry(path: Path | str, student: str = "") -> Entry:
    """Read an entry; one that is none is refused, with the reason."""
    path, name = Path(path), ""
    try:
        if path.is_symlink():
            raise FacelabError("it is a link to another file; hand in the file itself.")
        data = read_bytes(path, "Hand it in again.", most=LARGEST)
        name = f"entry-{hashlib.sha256(data).hexdigest()[:8]}"
        embeddings = _checked(_array(data))
    except FacelabError as error:
        return Entry(student, name, None, str(error))
    except Exception as error:  # what a file that was made to hurt raises is without end
        return Entry(student, name, None, f"it is no file that write_entry made ({type(error).__name__}).")
    entry = Entry(student, name, embeddings)
    notes, label = _looks(embeddings)
    return replace(entry, notes=notes, refused=label)


def _array(data: bytes) -> np.ndarray:
    """Return the array in an archive of NumPy, of which no more is read than its header says."""
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except zipfile.BadZipFile:
        raise FacelabError("it is no .npz file; write it with facelab.coursework.leaderboard.write_entry.") from None
    with archive:
        if archive.namelist() != ["embeddings.npy"]:
            raise FacelabError("it must hold one array, embeddings, and nothing else; write it with write_entry.")
        with archive.open("embeddings.npy") as part:
            version = np.lib.format.read_magic(part)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            if version not in read:
                raise FacelabError(f"its array has NumPy's format {version}; write it with write_entry.")
            shape, fortran, dtype = read[version](part)
            _check_form(shape, dtype)
            size = int(np.prod(shape)) * dtype.itemsize
            values = part.read(size + 1)
    if len(values) != size:
        raise FacelabError(f"its array says {size:,} bytes and holds another number; write it again.")
    return np.frombuffer(values, dtype).reshape(shape, order="F" if fortran else "C")


def _check_form(shape: Sequence[int], dtype: np.dtype) -> None:
    if dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
        raise FacelabError(f"its numbers are of type {dtype}; give float32.")
    low, high = DIMENSIONS
    if len(shape) != 2 or shape[0] != len(IDENTITIES) or not low <= shape[1] <= high:
        raise FacelabError(
            f"embeddings of shape {tuple(shape)}: expected ({len(IDENTITIES)}, d), d from {low} to {high}, one row for "
            "each photograph of load_orl()."
        )


def _checked(values: np.ndarray) -> np.ndarray:
    """Return embeddings of length 1; raise a FacelabError if they are none."""
    _check_form(values.shape, values.dtype)
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise FacelabError(f"row {row} is not finite (NaN or infinite); look for a division by zero.")
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(values, axis=1)
    if not np.isfinite(lengths).all() or not lengths.all():
        row = int(np.argmin(np.isfinite(lengths) & (lengths > 0)))
        raise FacelabError(f"row {row} has the length {lengths[row]:g}, so it has no direction.")
    values = values / lengths[:, None]
    if np.ptp(values, axis=0).max() < 10.0**-DIGITS:
        raise FacelabError("all embeddings are the same: the network has collapsed, or the file was filled with one.")
    return values


def _looks(embeddings: np.ndarray) -> tuple[tuple[str, ...], str]:
    """Return what a person should look at, and why the entry is set aside until then, or ``""``."""
    test, development = (scores_of(embeddings, people) for people in (TEST, DEVELOPMENT))
    notes = []
    if embeddings.shape[1] in (len(PUBLIC), len(TEST), len(TEST) + len(DEVELOPMENT)):
        notes.append(f"{embeddings.shape[1]} dimensions, as many as people: is each of them a person?")
    area, known = float(auc(roc(test))), float(auc(roc(development)))
    if area == 1:
        notes.append("every genuine pair of the test scores above every impostor pair: read the code")
    elif area >= known > 0.99:
        notes.append("as good on the test people as on those of the training: read how these were used")
    if float(np.mean(test.values[test.genuine] > 1 - 1e-4)) > 0.5:
        reason = "pictures of one test person have the same embedding: it tells a label, and no picture. Set aside."
        return tuple(notes), reason
    return tuple(notes), ""


def scores_of(embeddings: np.ndarray, people: Sequence[str]) -> Scores:
    """Return the scores of all pairs of some people's photographs; nearly equal cosines are equal."""
    rows = np.isin(IDENTITIES, people)
    scores = pair_scores(embeddings[rows], IDENTITIES[rows])
    return Scores(np.round(scores.values, DIGITS), scores.first, scores.second)


def find_entries(folder: Path | str) -> list[Entry]:
    """Return the entries in a folder: ``STUDENT/entry.npz`` (also deeper) or ``STUDENT.npz``, sorted by student.

    Raises:
        FacelabError: the folder is not there, or holds no entry.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FacelabError(f"there is no folder {folder}; give the one with the submissions.")
    paths = sorted(path for path in folder.rglob("*.npz") if "__MACOSX" not in path.parts)
    whose = [(path.relative_to(folder).parts[0].removesuffix(".npz"), path) for path in paths]
    if not whose:
        raise FacelabError(f"{folder} holds no entry: STUDENT/entry.npz or STUDENT.npz, written by write_entry.")
    entries, several = [], [student for student, _ in whose]
    for student, path in whose:
        if several.count(student) > 1 and path.name != "entry.npz":
            entries.append(Entry(student, refused=f"{path.name} lies beside other .npz files; name the one entry.npz."))
        else:
            entries.append(read_entry(path, student))
    copies = [entry.name for entry in entries if entry.name]
    return [
        replace(entry, notes=(*entry.notes, "somebody else handed in the same file"))
        if copies.count(entry.name) > 1
        else entry
        for entry in entries
    ]


def make_board(
    dist: Path | str,
    entries: Sequence[Entry],
    baselines: Mapping[str, np.ndarray],
    *,
    final: bool = False,
    replicates: int = 1000,
) -> Board:
    """Measure entries, and note in ``dist/grader/board.json`` which were measured on which people.

    Args:
        dist: the folder of the assignment.
        entries: see :func:`find_entries`.
        baselines: embeddings by name, shape (400, d) each; among them BASELINE.
        final: measure on all test people, so also on the private half; it tells something new once.
        replicates: draws of people for each interval.

    Raises:
        FacelabError: ``dist`` is no folder of an assignment, or its record is damaged.
    """
    record, people = Path(dist, "grader", "board.json"), TEST if final else PUBLIC
    if not record.parent.is_dir():
        raise FacelabError(f"{dist} has no folder grader; give the folder that facelab coursework build made.")
    before = read_json(record, "Delete it to begin a new record.") if record.exists() else {}
    seen = {key: set(before.get(key, [])) if isinstance(before, dict) else set() for key in ("public", "private")}
    measured = {name: scores_of(_checked(np.asarray(x)), people) for name, x in baselines.items()}

    def row(entry: Entry, embeddings: np.ndarray) -> Standing:
        scores = scores_of(embeddings, people)
        found = verification_of_pairs(scores, fars=(FAR,), replicates=replicates)
        known = float(_tar(roc(scores_of(embeddings, DEVELOPMENT))))
        difference = _compared(scores, measured[BASELINE], _tar, replicates)
        return Standing(entry, found[f"tar_at_far_{FAR:g}"], found["auc"], known, difference)

    once = {entry.name: entry for entry in reversed(entries) if entry.embeddings is not None and not entry.refused}
    rows = [row(entry, entry.embeddings) for entry in once.values() if entry.embeddings is not None]
    rows.sort(key=lambda one: (-one.tar.value, one.entry.name))
    corrected = holm({one.entry.name: one.difference.p_value for one in rows})
    first = scores_of(rows[0].entry.embeddings, people) if rows and rows[0].entry.embeddings is not None else None
    ranked = []
    for one in rows:
        tie = True
        if first is not None and one is not rows[0] and one.entry.embeddings is not None:
            tie = not _compared(first, scores_of(one.entry.embeddings, people), _tar, replicates).shown
        rank = 1 + sum(other.tar.value > one.tar.value for other in rows)
        ranked.append(replace(one, rank=rank, tie=tie, p_value=corrected[one.entry.name]))
    seen["public"] |= set(once)
    seen["private"] |= set(once) if final else set()
    write_json(record, {key: sorted(names) for key, names in seen.items()})
    return Board(
        people,
        final,
        {name: row(Entry("", name), _checked(np.asarray(x))) for name, x in baselines.items()},
        ranked,
        [entry for entry in entries if entry.refused],
        len(seen["public"]),
        len(seen["private"]),
    )


def _tar(curve: Roc) -> np.ndarray:
    return tar_at_far(curve, FAR)


def _compared(first: Scores, second: Scores, measure: Callable[[Roc], np.ndarray], replicates: int) -> Comparison:
    return compare_scores([first], [second], measure, replicates=replicates)


def make_baselines(dist: Path | str) -> dict[str, np.ndarray]:
    """Return the embeddings of the shipped networks, of local binary patterns and of pixels; kept in ``dist/grader``.

    The first call aligns the photographs (about 10 seconds).
    """
    from facelab.align import make_chips
    from facelab.data import load_orl
    from facelab.detect import MTCNN
    from facelab.models import pretrained, shipped_networks

    networks, kept = shipped_networks(), _kept(dist)
    if kept.exists():
        with np.load(kept) as arrays:
            return {name: arrays[name] for name in arrays.files}
    chips = make_chips(load_orl(), MTCNN())[0].array()
    made = {name: pretrained(name, device="cpu")(chips) for name in networks}
    grey = chips[..., 0].astype(np.float64)
    small = grey.reshape(len(grey), 56, 2, 56, 2).mean(axis=(2, 4)).reshape(len(grey), -1)
    made |= {"local binary patterns": np.stack([binary_patterns(one) for one in grey])}
    made |= {"pixels, 56 x 56": small - small.mean(axis=1, keepdims=True)}
    made = {name: embeddings.astype(np.float32) for name, embeddings in made.items()}
    if kept.parent.is_dir():
        with atomic_write(kept) as temporary:
            np.savez_compressed(temporary, **made)  # type: ignore[arg-type]
    return made


def _kept(dist: Path | str) -> Path:
    from facelab.models import shipped_networks

    key = hashlib.sha256("".join(about["sha256"] for about in shipped_networks().values()).encode()).hexdigest()[:8]
    return Path(dist, "grader", f"baselines-{key}.npz")


def binary_patterns(chip: np.ndarray, cells: int = 4) -> np.ndarray:
    """Return how often each local binary pattern occurs in each cell of a chip; roots of shares, for cosines.

    A pattern is eight bits: which of the eight neighbours of a pixel are as bright as it is, or brighter. Source: T.
    Ahonen, A. Hadid, M. Pietikäinen, "Face description with local binary patterns", TPAMI 28, 2006 (with chi-square
    distances and more cells).

    Args:
        chip: grey, shape (height, width).
        cells: in each direction.

    Returns:
        Shape (cells * cells * 256,).
    """
    height, width = chip.shape
    patterns = np.zeros((height - 2, width - 2), np.int64)
    around = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    for bit, (y, x) in enumerate(around):
        neighbour = chip[y : y + height - 2, x : x + width - 2]
        patterns |= (neighbour >= chip[1:-1, 1:-1]).astype(np.int64) << bit
    parts = [part for rows in np.array_split(patterns, cells) for part in np.array_split(rows, cells, axis=1)]
    return np.concatenate([np.sqrt(np.bincount(part.ravel(), minlength=256) / part.size) for part in parts])


def write_board(board: Board, out: Path | str) -> None:
    """Write a board to be shown to all, with no names of students: a page (.html), or a table (.csv).

    Raises:
        FacelabError: another kind of file, or it cannot be written.
    """
    out = Path(out)
    if out.suffix not in (".html", ".csv"):
        raise FacelabError(f"{out}: the board is a page or a table, board.html or board.csv.")
    if out.suffix == ".html":
        told = sentences(board)
        render(
            "board.html.j2", out, title="Leaderboard: transfer to ORL", board=board, sentences=told, version=__version__
        )
        return
    with atomic_write(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([_COLUMNS, *_lines(board)])


_COLUMNS = [
    *("rank", "entry", "tar", "tar_low", "tar_high", "auc", "auc_low", "auc_high", "tar_development", "difference"),
    *("difference_low", "difference_high", "p_holm", "against_baseline", "tie_with_first"),
]


def _lines(board: Board) -> list[list[str]]:
    """Return the rows of the table: the entries, then the baselines, which have no rank."""
    lines = []
    for one in [*board.rows, *board.baselines.values()]:
        difference = one.difference.difference
        numbers = [one.tar.value, one.tar.low, one.tar.high, one.auc.value, one.auc.low, one.auc.high, one.development]
        numbers += [difference.value, difference.low, difference.high]
        told = [f"{one.p_value:.4f}", one.against_baseline, "yes" if one.tie else "no"] if one.rank else ["", "", ""]
        lines.append([str(one.rank or ""), one.entry.name, *(f"{number:.4f}" for number in numbers), *told])
    return lines


def sentences(board: Board) -> list[str]:
    """Say how the board is to be read: who was measured, what a rank means, and how far the people are used up."""
    half = "all 20 test people" if board.final else "the public half, 10 of the 20 test people"
    ties = sum(one.tie for one in board.rows)
    told = [
        f"Measured on {half}: TAR at FAR 1 %. With so few people every interval is rough.",
        "Every interval draws people. A difference to the baseline is paired: both meet the same pairs. 'Higher' and "
        f"'lower' hold after Holm's correction for {count(len(board.rows), 'entry', 'entries')}.",
    ]
    if len(board.rows) > 1:
        told.append(
            f"{ties} of {len(board.rows)} entries are not told apart from the first one, itself counted: a tie. Their "
            "order says nothing."
        )
    if board.final:
        told.append(
            f"{count(board.opened, 'entry', 'entries')} measured on the private half so far. It tells what new people "
            "would only as long as nobody changes an entry after this."
        )
    else:
        told.append(
            f"{count(board.tried, 'different entry', 'different entries')} measured on the public half so far. "
            "The more are tried, the luckier is the best. The private half is opened once, at the end."
        )
    if (luck := board.luck()) > 0:
        told.append(
            f"If all of them were equally good, the best would still seem better by about {100 * luck:.0f} points, by "
            "chance alone."
        )
    return [*told, UNSEEN]
