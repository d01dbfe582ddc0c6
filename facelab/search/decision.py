"""What a threshold means in a gallery, in words that go with every answer."""

from facelab.errors import count
from facelab.evaluate import Estimate, chance_of_a_false_match, false_matches_per_day

NO_DECISION = (
    "No threshold was given, so no decision is made: somebody is always the nearest, also to a stranger. Choose one "
    "with facelab evaluate, and give its results.json as --threshold-from."
)


def false_matches(far: Estimate | float | None, templates: int, searches: float) -> str:
    """Say how many false matches a day to expect, see :func:`facelab.evaluate.false_matches_per_day`.

    Args:
        far: what the threshold lets through, of two people in one comparison; with its interval where that is known.
            None: not known.
        templates: in the gallery. A search compares with each, so each is a chance of a false match; two of one
            identity are not two independent ones, so this is rather too much.
        searches: a day, by strangers: people who are not enrolled.

    Example:
        >>> print(false_matches(0.001, templates=500, searches=1000))
        1,000 searches a day by strangers, each of 500 templates: about 500 false matches a day; about 39 % of them \
name somebody.
    """
    if far is None:
        return (
            "What the threshold means here cannot be said: its file holds no false accept rate (FAR). Choose it with "
            "facelab evaluate."
        )
    if not templates:
        return "The gallery is empty, so nobody can be found."
    said = f"{searches:,g} searches a day by strangers, each of {count(templates, 'template')}:"
    if isinstance(far, Estimate):
        day, value = false_matches_per_day(far, searches, templates), far.value
        said += f" about {_number(day.value)} false matches a day (95 % interval {_number(day.low)} to"
        said += f" {_number(day.high)})"
    else:
        value = far
        said += f" about {_number(false_matches_per_day(far, searches, templates))} false matches a day"
    return f"{said}; about {_number(100 * chance_of_a_false_match(value, templates))} % of them name somebody."


def _number(value: float) -> str:
    """Return a number with two digits that count, or whole."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
