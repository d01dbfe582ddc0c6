"""JupyterLab on a folder, for tests: with settings of its own, without a password, on a free port."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0", "--IdentityProvider.token=")


@contextmanager
def jupyterlab(folder: Path, own: Path, *options: str) -> Iterator[str]:
    """Yield the address of a server that runs while the block does.

    Args:
        folder: the root that it shows.
        own: where its settings, data and log stand; extensions of the environment are seen all the same.
        options: of the command line, beside the usual ones.
    """
    places = {f"JUPYTER_{name}_DIR": str(own / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    places["JUPYTER_PREFER_ENV_PATH"] = "0"  # an extension there comes before the environment's copy of it
    with open(own / "log", "wb") as log:
        server = subprocess.Popen([*COMMAND, *options], cwd=folder, env=os.environ | places, stderr=log, stdout=log)
    try:
        yield _address(own / "log", server)
    finally:
        server.terminate()
        server.wait(20)


def _address(log: Path, server: Any) -> str:
    for _ in range(600):
        if found := re.search(r"http://(?:localhost|127\.0\.0\.1):(\d+)/lab", log.read_text("utf-8", "replace")):
            return f"http://127.0.0.1:{found[1]}/lab"
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(log.read_text("utf-8", "replace")[-2000:])
