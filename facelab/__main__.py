"""``python -m facelab``: what the command ``facelab`` does, for launchers such as ``torchrun -m facelab``."""

from facelab.cli import app

app()
