"""The room works on arrays alone."""

import subprocess
import sys


def test_analysis_loads_neither_torch_nor_the_renderer():
    code = "import sys, facelab.analyze; print([m for m in ('torch', 'facelab.synth', 'warp') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
