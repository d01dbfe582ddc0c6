"""What a gallery is, whatever keeps it: the rules that all engines share stand here, and nowhere else."""

import getpass
import re
import secrets
import threading
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np

from facelab.errors import FacelabError, count, cut
from facelab.evaluate import make_templates
from facelab.evaluate.checks import check_threshold, unit
from facelab.evaluate.curve import accepted

ERASED = "erased-"  # begins what stands in the log for the name of an erased identity
FLIP = "+flip"  # ends a fingerprint, see facelab.train.Network.fingerprint_of
LONGEST_NAME = 200  # characters
LARGEST_DIMENSIONS = 4096


@dataclass(frozen=True)
class Match:
    """An identity that a search found.

    Attributes:
        identity: its name.
        score: the cosine of the probe and the nearest template of the identity.
    """

    identity: str
    score: float


@dataclass(frozen=True)
class Erasure:
    """What an erasure has done.

    Attributes:
        identity: who was erased.
        templates: how many templates were deleted.
        gone: whether no file of the gallery holds their bytes any more.
        why: how that is known; or why they are not gone yet, and what to do.
        receipt: what stands for the name in the log from now on. Nothing leads from the one to the other, so whoever
            was erased may keep it as a proof.
    """

    identity: str
    templates: int
    gone: bool
    why: str
    receipt: str = ""


@dataclass(frozen=True)
class Event:
    """A line of the log. It holds no picture, no embedding, and no name of an erased identity.

    Attributes:
        when: in UTC.
        what: happened. A search makes one line for each match of each probe, or one without identity if none was found.
        identity: who was enrolled, found or erased; empty where nobody was; :data:`ERASED` and a random number for one
            who was erased.
        number: how many templates were enrolled or erased; of a search the rank of the match, 0 if none was found.
        by: who asked.
        score: of a match, in three decimals.
        threshold: of the search; None if it had none.
    """

    when: datetime
    what: Literal["create", "enrol", "search", "erase"]
    identity: str
    number: int
    by: str
    score: float | None = None
    threshold: float | None = None

    def __str__(self) -> str:
        """Say it in a line: "2026-11-27 04:28:58 UTC, Cleo: found Ada at rank 1, cosine 0.927"."""
        done = {
            "create": "made the gallery",
            "enrol": f"enrolled {self.identity}",
            "search": f"found {self.identity} at rank {self.number}" if self.identity else "found nobody known",
            "erase": f"erased {self.identity}, {count(self.number, 'template')}",
        }[self.what]
        done += "" if self.score is None else f", cosine {self.score:.3f}"
        done += "" if self.threshold is None else f" (threshold {self.threshold:.3f})"
        return f"{self.when:%Y-%m-%d %H:%M:%S} UTC, {self.by}: {done}"


class Gallery(ABC):
    """Known identities with their templates, see :func:`open_gallery`. A context manager; threads may share one.

    An engine gives what :meth:`enrol`, :meth:`search` and the others are made of: the abstract methods below. Whatever
    it is told in one call, it keeps as a whole or not at all, and it has it on disk when the call returns.

    Attributes:
        address: where it is.
        fingerprint: of the network whose embeddings it holds.
        dimensions: of an embedding.
        by: who asks, for the log.
    """

    address: str
    fingerprint: str
    dimensions: int
    by: str = ""
    exact = True  # whether a search compares a probe with every template
    _trusted = False  # whether the caller has said whose embeddings come

    @property
    def flip(self) -> bool:
        """Whether its embeddings are those with the mirrored chips added."""
        return self.fingerprint.endswith(FLIP)

    def enrol(self, identity: str, embeddings: np.ndarray, quality: np.ndarray | None = None) -> list[int]:
        """Enrol the pictures of one occasion as one template; return its number in a list.

        The template is the mean of the normalised embeddings, weighted by quality, and normalised again, see
        :func:`facelab.evaluate.make_templates`. A second call, such as a year later, adds a second template; the
        nearest of them counts.

        Args:
            identity: a name, which need not be that of a person: a number serves as well, and tells less.
            embeddings: of n pictures, shape (n, D), normalised or not.
            quality: weight of each, shape (n,), 0 or more; all the same if not given.

        Raises:
            FacelabError: a name that is empty or no text, an embedding without direction or of another size, a gallery
                of another network or one that cannot be written. Nothing is enrolled then.
        """
        return self.enrol_all([identity] * len(np.atleast_2d(embeddings)), embeddings, quality)

    def enrol_all(
        self, identities: Sequence[str], embeddings: np.ndarray, quality: np.ndarray | None = None
    ) -> list[int]:
        """Enrol many at once: one template for each name, all of them or, if one is refused, none.

        Args:
            identities: the name of each picture, shape (n,).
            embeddings, quality: see :meth:`enrol`.

        Returns:
            The numbers of the templates, in the order of the sorted names.

        Raises:
            FacelabError: see :meth:`enrol`.
        """
        vectors = self._vectors(embeddings)
        if not len(vectors):
            raise FacelabError("there are no embeddings to enrol: is a face in the picture?")
        names = np.array([checked_name(identity) for identity in identities])
        made = make_templates(vectors, names, names, weights=quality)
        events = [self._event("enrol", str(name), 1) for name in made.ids]
        with self._lock:
            return self._add([str(name) for name in made.ids], made.embeddings.astype(np.float32), events)

    def search(self, probes: np.ndarray, k: int = 1, threshold: float | None = None) -> list[list[Match]]:
        """Return the k nearest identities of each probe, the nearest first; exact. The answer is in the log first.

        Args:
            probes: embeddings, shape (m, D), normalised or not.
            k: how many at most.
            threshold: a cosine; whoever scores less is left out, so the list may be empty: nobody known. Without it
                everybody resembles somebody, and no decision is made.

        Raises:
            FacelabError: an embedding without direction or of another size, a gallery of another network or one whose
                log cannot be written.
        """
        vectors = self._vectors(probes).astype(np.float32)
        if k < 1:
            raise FacelabError(f"k = {k}: give 1 or more.")
        limit = None if threshold is None else check_threshold(threshold)
        with self._lock:
            found = self._nearest(vectors, k) if len(vectors) else []
            if limit is not None:
                found = [_accepted(matches, limit) for matches in found]
            events = []
            for matches in found:
                events += [
                    self._event("search", match.identity, rank, round(match.score, 3), limit)
                    for rank, match in enumerate(matches, start=1)
                ] or [self._event("search", "", 0, None, limit)]
            self._write(events)
        return found

    def erase(self, identity: str) -> Erasure:
        """Delete all templates of an identity, its name also from the log, and their bytes from the files.

        That somebody was enrolled, found and erased, and when, stays in the log under a random number, so that what was
        done can be accounted for; who it was does not. Copies that others have made (backups, snapshots of the file
        system, answers of searches) are out of reach.

        Where an earlier erasure could not empty the files, the same call tries again, and deletes no templates.

        Raises:
            FacelabError: nobody of this name is enrolled, or the gallery cannot be written.
        """
        return self.erase_all([identity])[0]

    def erase_all(self, identities: Sequence[str]) -> list[Erasure]:
        """Erase several, see :meth:`erase`, and empty the files once: that is what takes the time.

        Raises:
            FacelabError: see :meth:`erase`. If somebody is not enrolled, nobody is erased.
        """
        names = list(dict.fromkeys(checked_name(identity) for identity in identities))
        with self._lock:
            unknown = sorted(set(names) - set(self._identities()))
            if unknown and not self._unclean():
                raise FacelabError(
                    f"nobody called {cut(unknown[0])!r} is in {self.address}, so nobody was erased. See facelab "
                    "gallery list."
                )
            removed = []
            for name in names:
                receipt = f"{ERASED}{secrets.token_hex(4)}"
                removed.append((name, self._remove(name, receipt, self._event("erase", receipt, 0)), receipt))
            gone, why = self._clean() if names else (True, "nobody was to be erased")
        return [Erasure(name, number, gone, why, receipt if number else "") for name, number, receipt in removed]

    def identities(self) -> dict[str, int]:
        """Return how many templates each identity has, by name, sorted."""
        with self._lock:
            return dict(sorted(self._identities().items()))

    def audit(self) -> list[Event]:
        """Return the log, the oldest first: who was enrolled, found, erased, and when; see :class:`Event`."""
        with self._lock:
            return self._events()

    def unclean(self) -> bool:
        """Return whether the files may hold bytes of what was erased: then to erase once more cleans them."""
        with self._lock:
            return self._unclean()

    def how(self) -> str:
        """Return how the templates are searched, in words."""
        return "exactly: a probe is compared with every template"

    @abstractmethod
    def close(self) -> None:
        """Let go of the file or the server."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address!r}, {_short(self.fingerprint)}, {self.dimensions} dimensions)"

    # What an engine gives. A lock is held while one of these runs.

    @classmethod
    @abstractmethod
    def create(
        cls, address: str, fingerprint: str, dimensions: int, event: Event, *, index: str, shards: Sequence[str]
    ) -> None:
        """Make an empty gallery, with its first line of the log; refuse if something is at the address, and options
        that the engine does not have."""

    @abstractmethod
    def __init__(self, address: str) -> None:
        """Open a gallery; sets :attr:`fingerprint` and :attr:`dimensions` as they were created."""
        self.address = address
        self._lock = threading.RLock()

    @abstractmethod
    def _add(self, identities: list[str], templates: np.ndarray, events: list[Event]) -> list[int]:
        """Keep a template for each name, shape (n, D), float32, of length 1, and the lines of the log; all or nothing.
        Return the numbers of the templates, which are never given twice."""

    @abstractmethod
    def _nearest(self, probes: np.ndarray, k: int) -> list[list[Match]]:
        """Return the k identities of highest cosine, falling, then by name, of each probe (m, D), float32, of length
        1, m at least 1. The score of an identity is that of its nearest template."""

    @abstractmethod
    def _write(self, events: list[Event]) -> None:
        """Add lines to the log."""

    @abstractmethod
    def _remove(self, identity: str, receipt: str, event: Event) -> int:
        """Delete an identity with its templates, put the receipt in place of its name in the log, add the event with
        the number of templates, and remember that the files are unclean; return that number. Do nothing and return 0
        if there is none."""

    @abstractmethod
    def _unclean(self) -> bool:
        """Whether the files may hold bytes of what was erased."""

    @abstractmethod
    def _clean(self) -> tuple[bool, str]:
        """Rid the files of the bytes of what was deleted; return whether they are gone, and how that is known or why
        not and what to do."""

    @abstractmethod
    def _identities(self) -> dict[str, int]:
        """Return how many templates each name has."""

    @abstractmethod
    def _events(self) -> list[Event]:
        """Return the log, the oldest first."""

    # What engines need not know.

    def _accept(self, fingerprint: str | None, dimensions: int | None, by: str) -> Self:
        """Take note of whose embeddings come, or refuse them."""
        if fingerprint is not None and fingerprint != self.fingerprint:
            raise FacelabError(
                f"{self.address} holds embeddings of the network {_short(self.fingerprint)}, not of "
                f"{_short(fingerprint)}: cosines between the two mean nothing. Take that network, or create another "
                "gallery."
            )
        if dimensions is not None and dimensions != self.dimensions:
            raise FacelabError(
                f"{self.address} holds embeddings of {self.dimensions} dimensions, not of {dimensions}: another "
                "network's. Take that network, or create another gallery."
            )
        self._trusted, self.by = fingerprint is not None, by
        return self

    def _vectors(self, embeddings: np.ndarray) -> np.ndarray:
        """Return embeddings normalised, shape (n, D), float64."""
        if not self._trusted:
            raise FacelabError(
                f"{self.address} was opened without a fingerprint, so it is not known whose these embeddings are: "
                "open_gallery(address, fingerprint=network.fingerprint)."
            )
        vectors = unit(embeddings)
        if vectors.shape[1] != self.dimensions:
            raise FacelabError(
                f"embeddings {vectors.shape}: {self.address} holds embeddings of {self.dimensions} dimensions. Take "
                "the network that it was made for."
            )
        return vectors

    def _event(
        self,
        what: Literal["create", "enrol", "search", "erase"],
        identity: str,
        number: int,
        score: float | None = None,
        threshold: float | None = None,
    ) -> Event:
        return Event(datetime.now(UTC), what, identity, number, self.by, score, threshold)


def open_gallery(
    address: str | Path,
    *,
    fingerprint: str | None = None,
    dimensions: int | None = None,
    create: bool = False,
    index: str = "exact",
    shards: Sequence[str] = (),
    by: str | None = None,
) -> Gallery:
    """Open a gallery by its address.

    Args:
        address: a file such as ``faces.db``, or ``postgresql://USER@HOST/DATABASE``.
        fingerprint: of the network whose embeddings will come: ``facelab.train.open_network(...).fingerprint``. Without
            it a gallery lists and erases, and neither enrols nor searches.
        dimensions: of an embedding.
        create: make a new gallery; nothing may be at the address. It needs both of the above.
        index: of a new gallery on a server: ``exact``, or ``hnsw``, which finds faster, and not always, see
            :meth:`facelab.search.postgres.PostgresGallery.recall`.
        shards: of a new gallery on a server: addresses of others, which hold the templates between them.
        by: who asks, for the log; the name of the user if not given. A service gives the name of its own user.

    Raises:
        FacelabError: there is no gallery, it is damaged, it belongs to another network; or, to be created, it is there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open_gallery(f"{folder}/faces.db", fingerprint="1a2b", dimensions=2, create=True) as gallery:
        ...         _ = gallery.enrol("Ada", np.array([[2.0, 0.0], [1.9, 0.1]]))
        ...         _ = gallery.enrol("Ben", np.array([[0.0, 1.0]]))
        ...         [[best]] = gallery.search(np.array([[0.8, 0.6]]))
        ...         unknown = gallery.search(np.array([[-1.0, 0.0]]), threshold=0.5)
        >>> best.identity, round(best.score, 2), unknown
        ('Ada', 0.82, [[]])
    """
    address, asks = str(address), by or getpass.getuser()
    engine = _engine(address)
    if create:
        if not fingerprint or dimensions is None:
            raise FacelabError("a new gallery needs the fingerprint of a network and the dimensions of its embeddings.")
        if not 1 <= dimensions <= LARGEST_DIMENSIONS:
            raise FacelabError(f"dimensions = {dimensions}; give 1 to {LARGEST_DIMENSIONS:,}.")
        engine.create(
            address,
            fingerprint,
            dimensions,
            Event(datetime.now(UTC), "create", "", 0, asks),
            index=index,
            shards=shards,
        )
    gallery = engine(address)
    try:
        return gallery._accept(fingerprint, dimensions, asks)
    except FacelabError:
        gallery.close()
        raise


def _engine(address: str) -> type[Gallery]:
    """Return the engine of an address; only that one is imported."""
    scheme, separator, _ = address.partition("://")
    if not separator and re.search(r"(?:^|\s)(?:host|hostaddr|dbname|user|password|passfile|service)\s*=", address):
        raise FacelabError(
            "the address looks like PostgreSQL's form host=... dbname=..., which is not read here (nor repeated, as it "
            "may hold a password); give postgresql://USER@HOST/DATABASE."
        )
    if scheme in ("postgresql", "postgres") and separator:
        from facelab.search.postgres import PostgresGallery

        return PostgresGallery
    if separator:
        raise FacelabError(
            f"{cut(scheme)}://: no gallery is kept there; give a file, or postgresql://USER@HOST/DATABASE."
        )
    from facelab.search.sqlite import SqliteGallery

    return SqliteGallery


def _accepted(matches: list[Match], threshold: float) -> list[Match]:
    passed = accepted(np.array([match.score for match in matches]), threshold)
    return [match for match, one in zip(matches, passed, strict=True) if one]


def _short(fingerprint: str) -> str:
    return fingerprint.removesuffix(FLIP)[:12] + (" with --flip" if fingerprint.endswith(FLIP) else "")


def checked_name(identity: str) -> str:
    """Return the name of an identity in the one form in which it is kept (Unicode's NFC): to be found, it must be found
    when it is erased, however a keyboard writes its accents.

    Raises:
        FacelabError: it is empty, too long, no text, or of the form that stands for an erased one.
    """
    name = unicodedata.normalize("NFC", str(identity)).strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise FacelabError(
            f"{cut(name)!r} cannot be the name of an identity: give 1 to {LONGEST_NAME} letters, digits and signs, in "
            "one line."
        )
    if name.startswith(ERASED):
        raise FacelabError(f"{name!r}: names that begin with {ERASED} stand for erased identities; give another.")
    return name


def summary(identities: dict[str, int]) -> str:
    """Return how many identities and templates there are, in words."""
    return f"{count(len(identities), 'identity', 'identities')}, {count(sum(identities.values()), 'template')}"
