"""facelab: a course on face recognition with a tested package.

A photograph becomes a decision in four steps, and the rooms of the package follow them:
``detect`` -> ``align`` -> ``models`` (embed) -> ``evaluate`` (match). ``losses`` and ``train`` make the models,
``data`` says where faces come from, ``plots`` draws, ``study`` runs whole experiments.

``import facelab`` loads nothing heavy; import the room that you need, for example ``from facelab.align import align``.
"""

__version__ = "0.1.0"
