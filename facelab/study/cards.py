"""Numbers of a study in a card: below a marker, so that what was written by hand stays."""

from collections.abc import Sequence
from pathlib import Path

from facelab.files import atomic_write


def marker(study: str) -> str:
    """Return the line below which a card holds the numbers of a study."""
    return f"<!-- numbers: written by facelab study publish {study} -->"


def write_numbers(card: Path, study: str, lines: Sequence[str]) -> None:
    """Put lines into a card below the marker of a study; what stood there is replaced."""
    head = card.read_text(encoding="utf-8").partition(marker(study))[0].rstrip()
    with atomic_write(card) as temporary:
        text = f"{head}\n\n{marker(study)}\n\n" + "\n".join(lines).rstrip() + "\n"
        temporary.write_text(text, encoding="utf-8")
