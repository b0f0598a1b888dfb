"""The trees of a database, each looked into: SQLite's own check passes over damage to one that is empty."""

from __future__ import annotations

import apsw

__all__ = ["tree_problems"]

_TREES = """
SELECT tbl_name, CASE type WHEN 'index' THEN name END, sql
FROM sqlite_schema
WHERE type = 'index' OR (type = 'table' AND rootpage > 0)
ORDER BY name
"""


def tree_problems(connection: apsw.Connection) -> list[str]:
    """The tables and indexes of which not even the first row can be read."""
    problems: list[str] = []
    for table, index, made in connection.execute(_TREES).fetchall():
        _, where, some = (made or "").partition(" WHERE ")
        how = "NOT INDEXED" if index is None else f'INDEXED BY "{index}"{where if index else ""}{some}'
        try:
            connection.execute(f'SELECT 1 FROM "{table}" {how} LIMIT 1').fetchall()  # noqa: S608 - names of the schema
        except apsw.CorruptError as error:
            problems.append(
                f"{'table' if index is None else 'index'} {index or table} cannot be read: {error}"
            )
        except apsw.SQLError:
            # The index of a primary key that is the table itself cannot be asked for by name.
            continue
    return problems
