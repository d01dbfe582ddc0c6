"""The gallery: enrol people, search for a face, and truly forget.

:func:`open_gallery` opens one by its address. Two engines answer, and neither is imported unless asked: a file
``faces.db`` (the standard library's SQLite, exact search with NumPy), and a PostgreSQL server. Only embeddings come in;
who makes them is no matter of this room, but a gallery knows the fingerprint of that network and takes no other's.
"""

from facelab.search.decision import false_matches
from facelab.search.gallery import Erasure, Event, Gallery, Match, open_gallery

__all__ = ["Erasure", "Event", "Gallery", "Match", "false_matches", "open_gallery"]
