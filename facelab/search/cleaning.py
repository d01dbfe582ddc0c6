"""What was deleted leaves the files of a PostgreSQL server: tables, indexes, and the log of changes (the WAL).

``DELETE`` only marks a row; it stays in its page and in every index until the table is written anew (``VACUUM FULL``).
What was written stays in the WAL until that file is deleted, which a server does when it likes, if it does: with
``wal_recycle = on``, the default, it gives an old file a new name and keeps what is in it. A server that is killed
while it writes a table anew leaves the half-written file, which it does not delete when it starts again: look for files
that ``pg_class.relfilenode`` does not name.
"""

import re
import time
from typing import TYPE_CHECKING, Any

from facelab.errors import count
from facelab.search.connection import reason

if TYPE_CHECKING:
    from psycopg import Connection

WAIT = 30  # seconds for others who hold a table
AGAIN = "Then run the same command again."


def clean(connection: "Connection[Any]") -> tuple[bool, str]:
    """Write anew the tables that are named in ``facelab.unclean``, and have the server delete its WAL files.

    Returns:
        Whether no file of this server holds what was deleted from them; and how that is known, or why not and what to
        do.
    """
    import psycopg

    rows = connection.execute("SELECT id, part FROM facelab.unclean").fetchall()
    parts = sorted({part for _, part in rows})
    if not parts:
        return True, "nothing was to be done"
    try:
        for part in parts:
            if _rewrite(connection, part):
                return False, (
                    "another session of the database holds a transaction open that began before, and could still see "
                    f"them, so {part} keeps them. End it. {AGAIN}"
                )
    except psycopg.errors.LockNotAvailable:
        return False, f"another session has held {part} for {WAIT} seconds. End it. {AGAIN}"
    except psycopg.errors.InsufficientPrivilege as error:
        return False, f"{reason(error)}: the owner of the tables erases. {AGAIN}"
    hindered = _empty_wal(connection)
    if hindered:
        return False, f"the tables were written anew without them, but {hindered} {AGAIN}"
    connection.execute("DELETE FROM facelab.unclean WHERE id = ANY(%s)", ([number for number, _ in rows],))
    return True, (
        f"{count(len(parts), 'table')} and their indexes were written anew without them, and no WAL file from before "
        f"is left{_copies(connection)}"
    )


def _rewrite(connection: "Connection[Any]", part: str) -> int:
    """Write a table and its indexes anew; return how many deleted rows had to stay, as others could still see them."""
    kept = 0

    def read(notice: Any) -> None:
        nonlocal kept  # "0 dead row versions cannot be removed yet", in the server's language
        number = re.search(r"\d+", notice.message_detail or "")
        kept += int(number[0]) if number else 0

    connection.execute(f"SET lock_timeout = '{WAIT}s'")
    connection.add_notice_handler(read)
    try:
        for pause in (0.1, 0.4, 1, 0):  # a session that has just ended is gone a moment later
            kept = 0
            connection.execute(f"VACUUM (FULL, VERBOSE) {part}")
            if not kept:
                break
            time.sleep(pause)
    finally:
        connection.remove_notice_handler(read)
        if not connection.closed:
            connection.execute("RESET lock_timeout")
    return kept


def _empty_wal(connection: "Connection[Any]") -> str:
    """Have the server delete its WAL files of until now; return what hindered it, with the remedy, or nothing."""
    recycle, source, role, switch, checkpoint, look = connection.execute(
        "SELECT setting, source, quote_ident(current_user), has_function_privilege('pg_switch_wal()', 'EXECUTE'), "
        "pg_has_role('pg_checkpoint', 'USAGE'), has_function_privilege('pg_ls_waldir()', 'EXECUTE') "
        "FROM pg_settings WHERE name = 'wal_recycle'"
    ).fetchall()[0]
    if recycle != "off" or source not in ("configuration file", "command line"):  # set for a session, it has no effect
        return (
            "the server keeps old WAL files for use again, with what is in them. An administrator runs ALTER SYSTEM "
            "SET wal_recycle = off, and SELECT pg_reload_conf()."
        )
    missing = [f"GRANT pg_checkpoint TO {role};"] * (not checkpoint)
    missing += [f"GRANT EXECUTE ON FUNCTION pg_switch_wal() TO {role};"] * (not switch)
    missing += [f"GRANT pg_monitor TO {role};"] * (not look)
    if missing:
        return (
            "the WAL holds them until the server deletes its files, which this role may neither ask for nor see. An "
            f"administrator runs {' '.join(missing)}"
        )
    # Go on to a file of which nothing is on disk yet: files of the next names may be old ones, kept for use again
    # before wal_recycle was off.
    last = max(_wal_files(connection))
    while True:
        connection.execute("SELECT pg_logical_emit_message(false, 'facelab', '')")  # an empty file is not left
        ((current,),) = connection.execute("SELECT pg_walfile_name(pg_current_wal_insert_lsn())").fetchall()
        if current[8:] > last[8:]:  # behind the number of the timeline
            break
        connection.execute("SELECT pg_switch_wal()")
    connection.execute("CHECKPOINT")
    left = [name for name in _wal_files(connection) if name[8:] < current[8:]]
    if left:
        return (
            f"the server keeps {count(len(left), 'WAL file')} from before ({left[0]}): for a replication slot, an "
            "archive that does not take them, or wal_keep_size. Mend that."
        )
    return ""


def _wal_files(connection: "Connection[Any]") -> list[str]:
    rows = connection.execute("SELECT name FROM pg_ls_waldir() ORDER BY name").fetchall()
    return [name for (name,) in rows if re.match(r"[0-9A-F]{24}(?!.*\.backup)", name)]


def _copies(connection: "Connection[Any]") -> str:
    """Return a sentence about the copies that the server makes elsewhere, or nothing."""
    archive, replicas, slots, statements, slow = connection.execute(
        "SELECT current_setting('archive_mode'), (SELECT count(*) FROM pg_stat_replication), "
        "(SELECT count(*) FROM pg_replication_slots), current_setting('log_statement'), "
        "current_setting('log_min_duration_statement')"
    ).fetchall()[0]
    known = [f"its WAL goes to an archive (archive_mode = {archive})"] * (archive != "off")
    known += [f"{count(max(replicas, slots), 'replica')} may hold them"] * bool(replicas or slots)
    known += ["it writes statements with their values into its log file"] * (
        statements in ("mod", "all") or slow != "-1"
    )
    return f". What others hold cannot be seen from here: {'; '.join(known)}. Erase there, too" if known else ""
