"""Data cards: for each data set its source, licence, consent and withdrawal status. The book shows the same files."""

from importlib.resources import files

from facelab.errors import FacelabError


def cards() -> list[str]:
    """Return the names of the data sets that have a card."""
    return sorted(file.name.removesuffix(".md") for file in files(__name__).iterdir() if file.name.endswith(".md"))


def card(name: str) -> str:
    """Return the data card of a data set as Markdown.

    Raises:
        FacelabError: there is no card of that name; the message lists the names.
    """
    if name not in cards():
        raise FacelabError(f"there is no data card {name!r}; there are: {', '.join(cards())}.")
    return (files(__name__) / f"{name}.md").read_text(encoding="utf-8")


def card_facts(name: str) -> dict[str, str]:
    """Return the rows of a card's table, such as ``Licence``, ``Consent`` and ``Withdrawal``, as plain text.

    Raises:
        FacelabError: see :func:`card`.
    """
    rows = [line.strip("| ").split(" | ", 1) for line in card(name).splitlines() if line.startswith("| ")]
    return {row[0]: row[1].replace("**", "").replace("`", "") for row in rows if len(row) == 2}
