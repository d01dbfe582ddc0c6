"""The experiment that tests of all experiments share, importable by worker processes as well."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
