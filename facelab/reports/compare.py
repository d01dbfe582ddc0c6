"""Two photographs, one network: are they of one person, and how sure is that?"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from facelab.align import align_batch
from facelab.align.warp import Method
from facelab.data import FaceSet
from facelab.data.folder import find_images
from facelab.detect import Detector, choose, make_detector
from facelab.detect.detection import Which
from facelab.errors import FacelabError, count
from facelab.evaluate import Scores, calibrate, errors_at, operating_point, pair_scores
from facelab.files import facelab_home
from facelab.models import Embedder
from facelab.models.files import embed_faces, write_embeddings
from facelab.plots import compared_pair
from facelab.reports.evaluation import MOST_IMAGES, draw_images
from facelab.reports.threshold import Threshold, threshold_for
from facelab.sources import Images, are_chips, find_source, locate, open_chips, open_pictures
from facelab.synth.recipe import GENERATOR
from facelab.train import Network, open_network

CALIBRATE_ON = ("strangers", "orl")  # the first one whose people the network has not seen


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two pictures.

    Attributes:
        path: of its file.
        chip: what the network saw of it, RGB uint8, (size, size, 3).
        faces: how many were found. None where the picture was taken as a chip.
        note: what must be known of it, one sentence; empty if nothing.
    """

    path: Path
    chip: np.ndarray
    faces: int | None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The outcome of :func:`compare`.

    Attributes:
        first, second: the two pictures.
        score: the cosine of their embeddings.
        threshold: from which cosine on they count as one person.
        pairs: the scores that it was calibrated on; None where it was given.
        notes: what a reader of the decision must know, one sentence each.
    """

    first: Side
    second: Side
    score: float
    threshold: Threshold
    pairs: Scores | None
    notes: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the decision is that both are one person."""
        return self.score >= self.threshold.value

    @property
    def likelihood_ratio(self) -> float | None:
        """How many times as likely this score is for two pictures of one person as for two people, among the pairs of
        the calibration; see :class:`facelab.evaluate.Calibration`. None where that cannot be said.

        It is kept within what so few people can show: at most one over the number of pairs of two of them.
        """
        if self.pairs is None:
            return None
        try:
            ratio = float(np.exp(calibrate(self.pairs).log_likelihood_ratio(np.array(self.score))))
        except FacelabError:  # the scores of the two kinds do not overlap
            return None
        people = len(np.union1d(self.pairs.first, self.pairs.second))
        return float(np.clip(ratio, 1 / people, people * (people - 1) / 2))

    def decision(self) -> str:
        """Return the decision in one line."""
        sign, words = ("≥", "the same person") if self.same else ("<", "different people")
        return f"{words}: cosine {self.score:.3f} {sign} threshold {self.threshold.value:.3f}"

    def sentences(self) -> list[str]:
        """Return how sure that is: where the threshold is from and what it does there, the score among the pairs of the
        calibration, and the notes."""
        said = [self.threshold.origin()]
        if self.pairs is not None:
            above = self.pairs.values >= self.score
            parts = []
            for kind, mask in (("two people", ~self.pairs.genuine), ("one person", self.pairs.genuine)):
                parts.append(f"{above[mask].mean():.2%} of {int(mask.sum()):,} pairs of {kind}")
            said.append(f"A cosine of {self.score:.3f} or more is reached there by {' and by '.join(parts)}.")
            if (ratio := self.likelihood_ratio) is not None:
                likely, other = ("one person", "two people") if ratio >= 1 else ("two people", "one person")
                said.append(
                    f"Such a score is about {max(ratio, 1 / ratio):.2g} times as likely for {likely} as for {other}, "
                    "among those faces; how likely one person was before is not in it."
                )
                if (ratio >= 1) != self.same:
                    said.append(
                        "The likelihood points the other way than the threshold, which lets so few pairs of two people "
                        "through that it refuses many of one person: no sure decision."
                    )
        return [*said, *self.notes]

    def picture(self) -> Figure:
        """Draw the two chips, and the score among those of the calibration."""
        names = (self.first.path.name, self.second.path.name)
        return compared_pair(
            (self.first.chip, self.second.chip), names, self.score, self.threshold.value, self.pairs, self.decision()
        )


def compare(
    checkpoint: Path | str,
    first: Path | str,
    second: Path | str,
    *,
    detector: str = "mtcnn",
    method: Method = "five-point",
    images: Images = "auto",
    which: Which = "largest",
    turns: bool = False,
    flip: bool = False,
    threshold_from: Path | str | None = None,
    calibrate_on: str | None = None,
    far: float = 0.01,
    device: str = "auto",
    show_progress: bool = False,
) -> Comparison:
    """Compare two photographs: detect, align, embed, cosine, threshold.

    The threshold is the lowest one that keeps FAR at ``far`` on all pairs of a set of strangers. Their embeddings are
    kept in facelab's cache, under the content of the checkpoint, so that only the first call is slow. Another camera,
    other people, other light: the same threshold then has another FAR.

    Args:
        checkpoint: a file that a training saved, or the name of a network in the package.
        first, second: picture files.
        detector: a name of :func:`facelab.detect.detectors`.
        method: how to align, see :func:`facelab.align.chip_matrices`.
        images: what the two are, see :func:`facelab.sources.are_chips`, which decides for each by itself.
        which: of several faces in a photograph, see :func:`facelab.detect.choose`. ``"all"``: every face of one picture
            is compared with every face of the other, and the best pair counts; notes say which faces these are, counted
            from the left, and what so many tries do to the FAR.
        turns: look at turned pictures too, see :class:`facelab.detect.QuarterTurns`.
        flip: add to each embedding that of the mirrored chip, see :class:`facelab.models.Embedder`.
        threshold_from: a ``results.json`` of ``facelab evaluate``, or a JSON file with a number ``threshold``.
        calibrate_on: a name or path for :func:`facelab.sources.open_chips`; people whose names the network was trained
            on are left out. If not given, the first of :data:`CALIBRATE_ON` of whom enough are left.
        far: false accept rate at which the threshold is chosen.
        device: see :func:`facelab.device.resolve_device`.
        show_progress: show progress bars.

    Raises:
        FacelabError: the checkpoint or a picture cannot be read, there is no face on it, the threshold is another
            network's or for embeddings of the other kind (``flip``), or too few strangers are left for the FAR asked.
    """
    if not 0 < far <= 1:
        raise FacelabError(f"far={far:g}: it must lie in (0, 1].")
    network = open_network(checkpoint)
    given = None if threshold_from is None else threshold_for(Path(threshold_from), network, flip=flip)
    finder = make_detector(detector, device=device, turns=turns)
    left, right = (_sides(Path(path), finder, method, images, which) for path in (first, second))
    embedder = network.embedder(device, flip=flip)
    names = ["first"] * len(left) + ["second"] * len(right)
    pair = FaceSet("the two pictures", [side.chip for side in (*left, *right)], pd.DataFrame({"identity": names}))
    scores = pair_scores(embed_faces(embedder, pair).astype(np.float64), np.arange(len(names)))
    across = np.flatnonzero((scores.first < len(left)) & (scores.second >= len(left)))
    best = across[scores.values[across].argmax()]
    score = float(scores.values[best])
    sides = left[int(scores.first[best])], right[int(scores.second[best]) - len(left)]
    notes = [side.note for side in sides if side.note]
    if len(across) > 1:
        notes.append(
            f"The best of {len(across)} pairs of faces was taken: two groups of other people are let through up to "
            f"{len(across)} times as often as two pictures of two people."
        )
    if sides[0].path.read_bytes() == sides[1].path.read_bytes():
        notes.append("Both files hold the same picture: the cosine is 1 whoever is on it, and tells nothing.")
    if not network.complete:
        notes.append(f"The training of this network is not complete: step {network.step} of {network.total_steps}.")
    pairs = None
    if given is None:
        given, pairs = _calibrated(network, embedder, finder, method, which, calibrate_on, far, device, show_progress)
        notes.append(
            "The rates hold for those pictures. With other cameras, light, ages and people they may be quite others: "
            "calibrate on your own pictures (--calibrate-on FOLDER)."
        )
    return Comparison(sides[0], sides[1], score, given, pairs, tuple(notes))


def _sides(path: Path, finder: Detector, method: Method, images: Images, which: Which) -> list[Side]:
    """Return the picture with the face that is wanted; with ``which="all"`` once for each face."""
    opened = open_pictures([path])
    (image,) = opened.faces.array()
    if are_chips(opened, images):
        return [Side(path, image, None, f"{path.name} was taken as an aligned chip, as it is.")]
    found = finder.detect([image])[0]
    wanted = choose(found, which, *image.shape[:2])
    if not wanted:
        raise FacelabError(
            f"no face found in {path}. Try another photograph, --turns or another --detector; if it is an aligned chip "
            "already, say --images chips."
        )
    if wanted[0].landmarks is None and method != "crop":
        raise FacelabError(f"this detector finds no landmarks, which method {method!r} needs; take --method crop.")
    sides = []
    for number, face in enumerate(wanted, start=1):
        points = None if face.landmarks is None else face.landmarks[None]
        (chip,) = align_batch([image], points, method=method, boxes=face.box[None], turns=np.array([face.turn]))
        taken = {"largest": "the largest", "middle": "the one nearest to the middle"}.get(which, f"number {number}")
        notes = [f"{path.name} shows {len(found)} faces; {taken} was taken."] if len(found) > 1 else []
        if face.turn:
            notes.append(f"{path.name} was turned by {90 * face.turn} degrees, so that the face is upright.")
        sides.append(Side(path, chip, len(found), " ".join(notes)))
    return sides


def _calibrated(
    network: Network,
    embedder: Embedder,
    finder: Detector,
    method: Method,
    which: Which,
    calibrate_on: str | None,
    far: float,
    device: str,
    show_progress: bool,
) -> tuple[Threshold, Scores]:
    """Choose the threshold on the strangers among a source's people; return it and the scores of their pairs."""
    one: Which = "middle" if which == "middle" else "largest"  # of a photograph whose person is known by name
    for name in (calibrate_on,) if calibrate_on else CALIBRATE_ON:
        source = find_source(name)
        arrays = _embedded(network, embedder, name, finder, method, one, device, show_progress)
        seen = network.knows(arrays["identities"].tolist(), name)
        strangers = (arrays["labels"] >= 0) & ~np.append(seen, True)[arrays["labels"]]
        embeddings, labels = arrays["embeddings"][strangers].astype(np.float64), arrays["labels"][strangers]
        scores = pair_scores(embeddings, labels) if len(labels) > 1 else Scores(*np.zeros((3, 0)))
        if scores.genuine.any() and far * np.count_nonzero(~scores.genuine) >= 1:
            break
    else:
        raise FacelabError(
            f"{name} has {count(int((~seen).sum()), 'identity', 'identities')} whose names the network was not trained "
            "on: too few pairs to "
            f"show a FAR of {far:g}. Give other people (--calibrate-on FOLDER), or a higher --far."
        )
    point = operating_point(scores, far)
    if not np.isfinite(point.threshold):
        raise FacelabError(
            f"no threshold keeps FAR at {far:g} on {name}: too many of its pairs have the highest score."
        )
    where = f"{len(labels):,} pictures of {len(np.unique(labels))} people ({name}: {source.title}"
    where += f"; {int(seen.sum())} others have names that the network was trained on)" if seen.any() else ")"
    return Threshold(point.threshold, far, where, *errors_at(scores, point.threshold), flip=embedder.flip), scores


def _embedded(
    network: Network,
    embedder: Embedder,
    name: str,
    finder: Detector,
    method: Method,
    which: Which,
    device: str,
    show_progress: bool,
) -> dict[str, np.ndarray]:
    """Return the arrays of :func:`facelab.models.files.write_embeddings` of a source, from the cache if it has them."""
    source, where = locate(name)
    finds = getattr(finder, "title", type(finder).__name__), method, which
    key = [name, GENERATOR, embedder.flip, *(finds if source.holds in ("photographs", "either") else ())]
    if source.fits:  # a path: the files are part of the key
        # Pictures may lie behind links, which only the reader of folders follows.
        below = {*Path(where).rglob("*"), *find_images(where)} if Path(where).is_dir() else {Path(where)}
        files = sorted(below)
        key += [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    digest = hashlib.sha256(f"{network.fingerprint}{key}".encode()).hexdigest()
    path = facelab_home() / "calibration" / f"{digest[:16]}.npz"
    if not path.is_file():
        chips = open_chips(
            name, detector=finder, method=method, which=which, device=device, show_progress=show_progress
        ).faces
        if len(chips) > MOST_IMAGES:
            chips = chips.select(draw_images(chips.labels, seed=0))
        write_embeddings(path, embed_faces(embedder, chips, show_progress=show_progress), chips)
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
