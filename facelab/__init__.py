"""facelab: a course on face recognition with a tested package.

A photograph becomes a decision in four steps, and the rooms of the package follow them:
``detect`` -> ``align`` -> ``models`` (embed) -> ``evaluate`` (match). Faces come from ``data`` (readers) and ``synth``
(rendered), by name through ``sources``. ``losses`` and ``train`` make the models, ``analyze`` looks inside the
embedding space, ``search`` keeps a gallery, ``plots`` draws. ``reports`` makes a page of one run, ``study`` runs whole
experiments, ``course`` is what only the book needs, ``cli`` the command ``facelab``.

``import facelab`` loads nothing heavy; import the room that you need, for example ``from facelab.align import align``.
"""

import os

__version__ = "0.1.0"

# The one place where threads are set. An OpenMP thread that waits for work should sleep, not spin: on two cores with a
# busy neighbour, training was seen to take 4 times its time with the default and 1.7 times with this. OpenMP reads it
# when torch is first imported, so import facelab before torch; a value that you have set yourself stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
