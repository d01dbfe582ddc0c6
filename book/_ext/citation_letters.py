"""Letters behind the year where two works have the same authors and year as they are cited: 2018a, 2018b."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any


def cited_as(entry: Any) -> tuple[str, str]:
    """Return what a citation shows of an entry: its authors (the first and *et al.* from three on) and its year."""
    names = [" ".join([*person.prelast_names, *person.last_names]) for person in entry.persons["author"]]
    return names[0] + " et al." if len(names) > 2 else " and ".join(names), entry.fields["year"]


def add_letters(entries: Mapping[str, Any]) -> None:
    """Write the letter into the year of each entry that needs one, in the order of all authors, then of titles.

    Entries that have their letters already keep them.
    """
    alike = defaultdict(list)
    for entry in entries.values():
        alike[cited_as(entry)].append(entry)
    for (_, year), works in alike.items():
        if len(works) > 1:
            works.sort(key=lambda work: ([str(person) for person in work.persons["author"]], work.fields["title"]))
            for letter, work in zip("abcdefghijklmnopqrstuvwxyz", works, strict=False):
                work.fields["year"] = year + letter
