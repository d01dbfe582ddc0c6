"""A threshold, and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from facelab.errors import FacelabError, shown
from facelab.evaluate import Estimate
from facelab.files import read_json
from facelab.models.onnx import read_onnx
from facelab.train import Network, Recipe


@dataclass(frozen=True)
class Threshold:
    """A cosine from which on a pair counts as one identity.

    Attributes:
        value: the cosine.
        asked: the FAR that it was chosen for; None if not said.
        where: the set that it was chosen on.
        far, frr: what it does there, with 95 % intervals; None if not said.
        recipe: of the network whose scores it cuts; None if not said.
        flip: whether these are of embeddings with those of the mirrored chips added; None if not said.
        fingerprint: of those embeddings, see :meth:`facelab.train.Network.fingerprint_of`; None if not said.
    """

    value: float
    asked: float | None
    where: str
    far: Estimate | None = None
    frr: Estimate | None = None
    recipe: Mapping[str, Any] | None = None
    flip: bool | None = None
    fingerprint: str | None = None

    def origin(self) -> str:
        """Say where it is from, and what it does there."""
        asked = "" if self.asked is None else f" for a false accept rate (FAR) of {self.asked:.2%} at most"
        said = f"The threshold was chosen{asked} on {self.where}."
        if self.far is not None:
            said += f" There it lets {_shown(self.far)} of the pairs of two people through"
            said += "." if self.frr is None else f", and refuses {_shown(self.frr)} of the pairs of one person."
        return said

    def check_flip(self, flip: bool) -> None:
        """Raise a :class:`FacelabError` if it is known to be for the other kind of embeddings."""
        if self.flip is not None and self.flip != flip:
            chosen, here = ("with" if self.flip else "without"), ("with" if flip else "without")
            raise FacelabError(
                f"the threshold was chosen {chosen} --flip, and this run is {here}: such scores differ. "
                f"{'Add' if self.flip else 'Leave out'} --flip, or choose another threshold."
            )


def read_threshold(path: Path) -> Threshold:
    """Read the threshold of a ``results.json`` of ``facelab evaluate``, of a JSON file with a number ``threshold``, or
    the one that an ONNX file of ``facelab export`` carries.

    Raises:
        FacelabError: the file cannot be read or holds no threshold.
    """
    values = read_onnx(path).metadata.get("threshold") or {} if path.suffix.lower() == ".onnx" else read_json(path)
    point = values.get("operating_point", values) if isinstance(values, dict) else {}
    threshold = point.get("threshold") if isinstance(point, dict) else None
    if not _is_number(threshold):
        raise FacelabError(
            f'{path} holds no threshold: expected a results.json of a verification, or {{"threshold": 0.35}}.'
        )
    if abs(threshold) > 1 + 1e-6:
        raise FacelabError(
            f"{path}: threshold = {threshold:g} is no cosine, which lies in [-1, 1]; a distance d between embeddings "
            "of length one stands for the cosine 1 - d * d / 2."
        )
    far, frr = (_rate(point.get(name)) for name in ("far", "frr"))
    asked, recipe, data = point.get("asked"), values.get("recipe"), values.get("data")
    where = data.get("name") if isinstance(data, dict) else None
    for name, value, right in (
        ("far", point.get("far"), far is None or all(0 <= rate <= 1 for rate in (far.value, far.low, far.high))),
        ("frr", point.get("frr"), frr is None or all(0 <= rate <= 1 for rate in (frr.value, frr.low, frr.high))),
        ("asked", asked, asked is None or (_is_number(asked) and 0 < asked <= 1)),
        ("recipe", recipe, recipe is None or isinstance(recipe, dict)),
        ("data", data, where is None or isinstance(where, str)),
    ):
        if not right:
            raise FacelabError(f"{path}: {name} = {shown(value)} is not what facelab evaluate writes.")
    flip = values.get("flip", False if "recipe" in values else None)  # a report from before it was an option
    if flip not in (None, True, False):
        raise FacelabError(f"{path}: flip = {shown(flip)}; expected true or false.")
    fingerprint = values.get("fingerprint")
    if not isinstance(fingerprint, str | None):
        raise FacelabError(f"{path}: fingerprint = {shown(fingerprint)}; expected a text.")
    return Threshold(float(threshold), asked, where or "another set", far, frr, recipe, flip, fingerprint)


def threshold_for(path: Path, network: Network, *, flip: bool) -> Threshold:
    """Read a threshold as :func:`read_threshold` does, and check that it is one for these embeddings.

    Raises:
        FacelabError: it is known to be for another network, or for embeddings of the other kind (``flip``).
    """
    threshold = read_threshold(path)
    threshold.check_flip(flip)
    if threshold.fingerprint not in (None, network.fingerprint_of(flip=flip)):
        raise FacelabError(
            f"the threshold in {path} was chosen for another network, or another precision of this one, whose scores "
            "differ; evaluate this one: facelab evaluate NETWORK --data SOURCE."
        )
    if threshold.recipe is not None and Recipe.parse(dict(threshold.recipe), source=str(path)) != network.recipe:
        raise FacelabError(
            f"the threshold in {path} was chosen for a network of another recipe, whose scores mean something else; "
            "evaluate this one: facelab evaluate CHECKPOINT --data SOURCE."
        )
    return threshold


def _shown(rate: Estimate) -> str:
    return f"{rate.value:.2%} (95 % interval {rate.low:.2%} to {rate.high:.2%})"


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9  # nor NaN


def _rate(values: Any) -> Estimate | None:
    """Return a rate with its interval, where a file gives a whole one."""
    if not isinstance(values, dict) or not all(_is_number(values.get(name)) for name in ("value", "low", "high", "n")):
        return None
    identities = values.get("identities")
    low, high = float(values["low"]), float(values["high"])
    people = int(identities) if _is_number(identities) else None
    return Estimate(float(values["value"]), low, high, int(values["n"]), people)
