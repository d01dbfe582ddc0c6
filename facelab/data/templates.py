"""What protocols on templates compare, as IJB-B, IJB-C and TinyFace publish it: groups of images, by number."""

import functools
from dataclasses import dataclass, field

import numpy as np

from facelab.errors import FacelabError


@dataclass(frozen=True, eq=False)
class TemplateLists:
    """The lists of a protocol; templates are named by the numbers in the column ``template`` of a FaceSet.

    Attributes:
        first, second: the two templates of each pair to compare, shape (p,).
        genuine: which pairs show one identity, shape (p,), bool.
        galleries: by name, templates and who is on each, both shape (g,).
        probes: templates to be searched in the galleries, and who is on each, both shape (q,).

    Raises:
        FacelabError: the pairs contradict themselves, or a gallery has two templates of one identity.
    """

    first: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    second: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    genuine: np.ndarray = field(default_factory=lambda: np.empty(0, bool))
    galleries: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    probes: tuple[np.ndarray, np.ndarray] = field(
        default_factory=lambda: (np.empty(0, np.int64), np.empty(0, np.int64))
    )

    def __post_init__(self) -> None:
        _ = self.identities

    @functools.cached_property  # of millions of pairs
    def identities(self) -> dict[int, int]:
        """A number of who is on it for each template in a pair; those whom genuine pairs join are one."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        names, rows = np.unique(np.concatenate([self.first, self.second]), return_inverse=True)
        first, second = np.split(rows, 2)
        joined = first[self.genuine], second[self.genuine]
        _, group = connected_components(coo_array((np.ones(len(joined[0]), np.int8), joined), shape=(len(names),) * 2))
        if (wrong := ~self.genuine & (group[first] == group[second])).any():
            k = int(wrong.argmax())
            raise FacelabError(
                f"the pairs contradict themselves: templates {self.first[k]} and {self.second[k]} are two identities "
                "in one line, and one in others. Get the list again."
            )
        return dict(zip(names.tolist(), group.tolist(), strict=True))
