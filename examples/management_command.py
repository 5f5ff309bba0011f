"""Order what a database holds, and keep its rows up to date: what a Django management command or a cron job does.

    python examples/management_command.py fields.sqlite [order.json ...]

Adds the files to the table, submits each row that has no run yet, notes where the others stand, and prints all. It
never waits for a run: start it again and again. The key is the row's, so that a crash between submitting and noting
buys nothing twice.

Needs the Redis of a fleet: REDIS_URL, or the same ORDERS_DATA_DIR (by default: the same working directory).
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from jobs import BlockingOrderQueue, BlockingRunHandle, State, Submission

AT_ONCE = 100
TABLE = "CREATE TABLE IF NOT EXISTS field (id INTEGER PRIMARY KEY, request TEXT, run_id TEXT, state TEXT, problem TEXT)"


def submit_new(database: sqlite3.Connection, queue: BlockingOrderQueue) -> None:
    """Submit the rows that have no run, a hundred at a time."""
    new = "SELECT id, request FROM field WHERE run_id IS NULL AND problem IS NULL LIMIT ?"
    while rows := database.execute(new, (AT_ONCE,)).fetchall():
        answers = queue.submit_many(Submission(json.loads(request), key=f"field-{row_id}") for row_id, request in rows)
        for (row_id, _), answer in zip(rows, answers, strict=True):
            run_id, problem = (answer.run_id, None) if isinstance(answer, BlockingRunHandle) else (None, str(answer))
            database.execute("UPDATE field SET run_id = ?, problem = ? WHERE id = ?", (run_id, problem, row_id))
        database.commit()


def look_again(database: sqlite3.Connection, queue: BlockingOrderQueue) -> None:
    """Note where the runs stand that had not ended."""
    for row_id, run_id, state in database.execute(
        "SELECT id, run_id, state FROM field WHERE run_id NOT NULL"
    ).fetchall():
        if state is None or not State(state).is_final:
            database.execute("UPDATE field SET state = ? WHERE id = ?", (queue.get(run_id).state, row_id))
    database.commit()


def main(path: str, files: list[Path]) -> None:
    """Do all of it once."""
    with closing(sqlite3.connect(path)) as database, BlockingOrderQueue() as queue:
        database.execute(TABLE)
        database.executemany("INSERT INTO field (request) VALUES (?)", [(file.read_text("utf-8"),) for file in files])
        database.commit()
        submit_new(database, queue)
        look_again(database, queue)
        for row in database.execute("SELECT id, run_id, state, problem FROM field ORDER BY id"):
            print(*(text or "-" for text in row), sep="\t")


if __name__ == "__main__":
    main(sys.argv[1], [Path(name) for name in sys.argv[2:]])
