"""Which files in a folder are whose submissions, and the code in them. Nothing of them is run here."""

import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from facelab.errors import FacelabError, cut
from facelab.files import read_bytes, read_json

LARGEST = 20 << 20  # bytes of a notebook
_MOST_CODE = 500_000  # characters of code in it: their syntax trees are made here, outside of the sandbox

# Moodle: "Ann Lee_123456_assignsubmission_file_" as a folder, or as the beginning of a file's name.
_MOODLE = re.compile(r"(?P<student>.+)_(?P<identity>\d+)_assignsubmission_(?:file|onlinetext)(?:_|$)")
# Canvas: leeann_1234_56789_notebook-1.ipynb, leeann_LATE_1234_56789_notebook.ipynb; the second number grows with time.
_CANVAS = re.compile(r"(?P<student>[^_]+)(?:_LATE)?_(?P<identity>\d+)_(?P<number>\d+)_.+\.ipynb$")
_NOT_SUBMITTED = {"__MACOSX", "Thumbs.db", "desktop.ini"}
_STAMP = "timestamp.txt"  # beside a notebook: when it was submitted, as nbgrader writes it


@dataclass(frozen=True)
class Submission:
    """A file, or what stands in its place.

    Attributes:
        student: who submitted it, as the name of the file or folder tells.
        path: of the notebook.
        identity: the student's number in Moodle or Canvas, or ``""``.
        submitted: when: ``timestamp.txt`` beside the notebook, or when the file was changed last.
        reason: why it cannot be read, or ``""``.
        superseded: a later file of the student's counts.
        number: Canvas's own of the file, or 0.
    """

    student: str
    path: Path
    identity: str = ""
    submitted: datetime | None = None
    reason: str = ""
    superseded: bool = False
    number: int = 0

    @property
    def key(self) -> str:
        """What tells students apart, those of one name by their number."""
        return f"{self.student} {self.identity}".strip()


def find_submissions(folder: Path | str) -> list[Submission]:
    """Return the submissions in a folder, by student; of one student the one that counts comes last.

    Understood are ``NAME.ipynb``, ``NAME/notebook.ipynb``, and what Moodle and Canvas give an instructor to download.
    Whatever else lies there is a submission that cannot be read, with the reason. A single notebook may be given, too.

    Raises:
        FacelabError: the folder is not there, or empty.
    """
    folder = Path(folder)
    if folder.is_file():
        entries = [folder]
    else:
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            raise FacelabError(
                f"cannot read {folder}: {error.strerror}. Give the folder of the submissions."
            ) from error
    found = [one for entry in entries if not _is_system(entry.name) for one in _of_entry(entry)]
    if not found:
        raise FacelabError(f"{folder} holds no submission: give the folder with the students' notebooks.")
    found.sort(key=_order)
    later = [after.key if after else None for after in [*found[1:], None]]
    return [replace(one, superseded=one.key == key) for one, key in zip(found, later, strict=True)]


def check_outside(folder: Path | str, *outputs: Path) -> None:
    """Check that what is written does not come among the submissions, where it would be one the next time.

    Raises:
        FacelabError: an output is the folder of the submissions, or lies in it.
    """
    folder = Path(folder)
    for out in outputs:
        if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
            raise FacelabError(
                f"{out} would lie among the submissions, in {folder}: choose another name or folder for the output."
            )


def _order(one: Submission) -> tuple:
    """By student; then what cannot be read, what is earlier by Canvas's number, by the clock."""
    when = one.submitted.timestamp() if one.submitted else 0.0
    return one.key.casefold(), one.key, not one.reason, one.number, when, str(one.path)


def _is_system(name: str) -> bool:
    hidden = name.startswith("._") or (name.startswith(".") and not name.endswith(".ipynb"))
    return hidden or name in _NOT_SUBMITTED


def _of_entry(entry: Path) -> Iterator[Submission]:
    name = entry.name
    if match := _MOODLE.match(name) or _CANVAS.match(name):
        told = match.groupdict()
        who = Submission(told["student"], entry, told["identity"], number=int(told.get("number") or 0))
    else:
        who = Submission(name.removesuffix(".ipynb"), entry)
    if not entry.is_symlink() and entry.is_dir():
        notebooks = sorted(_notebooks(entry))
        if not notebooks:
            yield replace(who, reason="a folder without a notebook (.ipynb)")
        for path in notebooks:
            yield _looked_at(replace(who, path=path))
    else:
        yield _looked_at(who)


def _notebooks(folder: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if not _is_system(one) and not Path(path, one).is_symlink()]
        if len(Path(path).relative_to(folder).parts) >= 4:
            folders.clear()
        yield from (Path(path, one) for one in files if one.endswith(".ipynb") and not _is_system(one))


def _looked_at(one: Submission) -> Submission:
    try:
        about = one.path.lstat()
    except OSError as error:
        return replace(one, reason=str(error.strerror))
    one = replace(one, submitted=_when(one.path, about.st_mtime))
    if stat.S_ISLNK(about.st_mode):
        return replace(one, reason="a link, not a file")
    if not stat.S_ISREG(about.st_mode):
        return replace(one, reason="a pipe or a device, not a file")
    if one.path.suffix != ".ipynb":
        return replace(one, reason="not a notebook (.ipynb)")
    return one


def _when(path: Path, changed: float) -> datetime:
    stamp = path.parent / _STAMP
    if not stamp.is_symlink() and stamp.is_file():
        text = stamp.read_bytes()[:100].decode("utf-8", "replace").strip().replace(" UTC", "+00:00")
        try:
            return datetime.fromisoformat(text).astimezone()
        except (ValueError, OverflowError):  # another kind of file
            pass
    return datetime.fromtimestamp(int(changed)).astimezone()


def code_cells(path: Path | str) -> list[str]:
    """Return the source of the code cells of a notebook.

    Raises:
        FacelabError: it cannot be read, or is no notebook; the message says why.
    """
    cells = [_source(cell) for cell in read_notebook(path)["cells"] if cell.get("cell_type") == "code"]
    if (size := sum(map(len, cells))) > _MOST_CODE:
        raise FacelabError(
            f"{path} holds {size:,} characters of code; at most {_MOST_CODE:,} are read. Ask for it again."
        )
    return cells


def read_notebook(path: Path | str) -> dict:
    """Return a notebook: a dictionary whose ``cells`` are dictionaries.

    Raises:
        FacelabError: it cannot be read, or is no notebook; the message says why.
    """
    read_bytes(path, "Ask for it again.", most=LARGEST)
    notebook = read_json(path, "Ask for it again.")
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise FacelabError(f"{path} is JSON, but no notebook of nbformat 4. Ask for it again.")
    if not any(cell.get("cell_type") == "code" and _source(cell).strip() for cell in cells):
        raise FacelabError(f"{path} has no code cells. Ask for it again.")
    return notebook


def _source(cell: dict) -> str:
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    return source if isinstance(source, str) else ""


def safe_names(students: Sequence[str]) -> dict[str, str]:
    """Return for each student the beginning of a file's name: it stays in its folder, and differs from all others'."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for student in students:
        text = unicodedata.normalize("NFC", student)
        plain = re.sub(r"[^\w .,()@+-]+", "_", text).strip(" .")[:80] or "student"
        name, number = plain, 2
        while name.casefold() in taken:
            name, number = f"{plain} {number}", number + 1
        taken.add(name.casefold())
        names[student] = name
    return names


def csv_cell(value: object) -> str:
    """Return a value for a table that a spreadsheet opens: a text that would be a formula there gets an apostrophe."""
    text = " ".join(str(value).encode("utf-8", "replace").decode("utf-8").split())
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") and not isinstance(value, int | float) else text


def said(error: FacelabError, path: Path) -> str:
    """Return why a notebook cannot be read, without its path, for a table of many."""
    text = str(error).replace(f"cannot read {path}: ", "").replace(f"{path} ", "").replace(" Ask for it again.", "")
    return cut(text.rstrip("."))
