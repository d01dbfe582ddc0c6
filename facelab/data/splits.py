"""Splits that do not leak: by image within each identity (closed set), and by identity (verification of strangers)."""

import numpy as np

from facelab.data.faceset import FaceSet
from facelab.errors import FacelabError

# What a set's own column ``split`` may call images that are not there to train on.
KEPT_OUT = frozenset({"held-out", "validation", "test", "query", "distractor"})


def split_closed_set(faces: FaceSet, *, train: int, seed: int) -> tuple[FaceSet, FaceSet]:
    """Split the images of every identity: ``train`` of them to the first set, the rest to the second.

    Stratified by identity, seeded; both sets hold all identities, so their labels agree.

    Raises:
        FacelabError: an identity has too few images to stand on both sides; the message names it.

    Example:
        >>> from facelab.data import load_orl
        >>> split_closed_set(load_orl(), train=7, seed=0)
        (FaceSet('orl/train', 280 images, 40 identities), FaceSet('orl/test', 120 images, 40 identities))
    """
    counts = faces.table["identity"].value_counts()
    if train < 1 or counts.min() < train + 1:
        raise FacelabError(
            f"FaceSet {faces.name!r}: identity {counts.idxmin()!r} has {counts.min()} image(s), train={train} needs "
            f"at least {max(train, 1) + 1}, so that one is left to test. Leave it out or choose a smaller train."
        )
    generator = np.random.default_rng(seed)
    in_train = np.zeros(len(faces), dtype=bool)
    ends = np.bincount(faces.labels).cumsum()
    for positions in np.split(np.argsort(faces.labels, kind="stable"), ends[:-1]):  # of each identity
        in_train[generator.permutation(positions)[:train]] = True
    return faces.select(in_train, f"{faces.name}/train"), faces.select(~in_train, f"{faces.name}/test")


def training_part(faces: FaceSet) -> FaceSet:
    """Return the images that a set gives to train on: all, or where it has splits of its own, those not kept out.

    Raises:
        FacelabError: all are kept out.
    """
    if "split" not in faces.table:
        return faces
    kept = ~faces.table["split"].isin(KEPT_OUT).to_numpy()
    if not kept.any():
        kinds = ", ".join(sorted(faces.table["split"].unique()))
        raise FacelabError(f"{faces.name} has no image to train on: all are marked {kinds}.")
    return faces.select(kept)


def split_identities(faces: FaceSet, *, held_out: int, seed: int) -> tuple[FaceSet, FaceSet]:
    """Split by identity: ``held_out`` identities, drawn at random, go to the second set with all their images.

    Raises:
        FacelabError: fewer than one identity would be left on a side.

    Example:
        >>> from facelab.data import load_orl
        >>> split_identities(load_orl(), held_out=10, seed=0)
        (FaceSet('orl/seen', 300 images, 30 identities), FaceSet('orl/unseen', 100 images, 10 identities))
    """
    if not 1 <= held_out < len(faces.identities):
        raise FacelabError(
            f"FaceSet {faces.name!r}: held_out={held_out} of {len(faces.identities)} identities; "
            "at least 1 must be held out and 1 must stay."
        )
    order = np.random.default_rng(seed).permutation(len(faces.identities))
    is_held_out = np.isin(faces.labels, order[:held_out])
    return faces.select(~is_held_out, f"{faces.name}/seen"), faces.select(is_held_out, f"{faces.name}/unseen")
