"""H2: which SQL a hunt may run: one SELECT over the views, found by DuckDB's own parser.

What is not known to be harmless is refused: kinds of nodes, tables, functions. A CTE may hold an
INSERT, a table may be a file, a function may read a setting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

import duckdb
import msgspec

from martello.core.errors import BadInput

_LONGEST: Final = 100_000  # characters of a query
_DEEPEST: Final = 200
_NODES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_REFS: Final = frozenset(
    {"BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY", "EXPRESSION_LIST", "TABLE_FUNCTION", "PIVOT"}
)
_MODIFIERS: Final = frozenset(
    {"ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER"}
)
_CLASSES: Final = frozenset(
    {
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "DEFAULT",
        "FUNCTION",
        "LAMBDA",
        "LAMBDA_REF",
        "OPERATOR",
        "POSITIONAL_REFERENCE",
        "STAR",
        "SUBQUERY",
        "TYPE",
        "WINDOW",
    }
)
_TABLE_FUNCTIONS: Final = frozenset({"unnest", "range", "generate_series"})
_TIME: Final = frozenset(
    {"current_date", "current_time", "current_timestamp", "current_localtime",
     "current_localtimestamp"}
)  # fmt: skip
_REFUSED: Final = re.compile(
    r"current_.*|pg_.*|has_.*|duckdb_.*|pragma_.*|.*_privilege|txid_.*|getvariable|getenv|query"
    r"|query_table|setseed|currval|nextval|setval|write_log|sleep_ms|stats|vector_type|user|version"
    r"|session_user|in_search_path|json_serialize_.*|json_execute_.*|json_deserialize_.*"
    r"|parse_duckdb_log_message|read_.*|glob|format_pg_type|inet_.*|st_.*|error|add_parquet_key"
    r"|is_histogram_other_bin|col_description|obj_description|shobj_description|get_.*|repeat_row"
)


class Checked(msgspec.Struct, frozen=True):
    """A query that may run, and the views that it reads."""

    sql: str
    views: frozenset[str]


def check(
    sql: str, views: Iterable[str], connection: duckdb.DuckDBPyConnection | None = None
) -> Checked:
    """Refuses everything but one SELECT over these views. Raises BadInput with the reason. The
    connection is only asked to parse.
    """
    if len(sql) > _LONGEST:
        raise BadInput("the query is too long", f"over {_LONGEST:,} characters")
    try:
        told = json.loads(_serialized(sql, connection))
    except RecursionError:
        raise _refused("it is nested too deeply") from None
    if told.get("error"):
        said = str(told.get("error_message", "")).splitlines() or [""]
        if told.get("error_type") == "not implemented":
            raise _refused("only SELECT is allowed")
        raise BadInput("cannot read the query", said[0])
    statements = told["statements"]
    if len(statements) != 1:
        raise _refused("it must be one statement")
    known = frozenset(views)
    ctes = frozenset(_ctes(statements, 0))
    if shadowed := sorted(ctes & known):
        raise _refused(f"WITH may not name what is a view: {shadowed[0]}")
    used: set[str] = set()
    for node in _dicts(statements[0]["node"], 0):
        _check_node(node, known | ctes, used)
    return Checked(sql, frozenset(used & known))


def _check_node(node: dict[str, Any], tables: frozenset[str], used: set[str]) -> None:
    """One node of the tree: its kind, and what it names."""
    if "class" in node:
        if node["class"] not in _CLASSES:
            raise _refused(f"{str(node['class']).lower()} is not allowed")
    elif "type" in node and isinstance(node["type"], str):
        _check_plain(node)
    if "table_name" in node and node.get("type") == "BASE_TABLE":
        name = str(node["table_name"]).lower()
        if node.get("schema_name") or node.get("catalog_name") or node.get("at_clause"):
            raise _refused(f"tables are named alone: {name}")
        if name not in tables:
            raise _refused(f"there is no view {name}; there are: {', '.join(sorted(tables))}")
        used.add(name)
    if "function_name" in node:
        _check_function(node)


def _check_plain(node: dict[str, Any]) -> None:
    """A node that is no expression: a query, what it reads from, a modifier, or a value's type."""
    kind = node["type"]
    if kind in _NODES or kind in _REFS or kind in _MODIFIERS:
        if kind == "TABLE_FUNCTION":
            name = (node.get("function") or {}).get("function_name", "")
            if name not in _TABLE_FUNCTIONS:
                raise _refused(f"the function {name} is no table here")
        return
    if kind.endswith(("_NODE", "_REF", "_MODIFIER")) or "query_location" in node:
        raise _refused(f"{kind.lower().replace('_', ' ')} is not allowed")


def _check_function(node: dict[str, Any]) -> None:
    name = str(node["function_name"]).lower()
    if node.get("schema") or node.get("catalog"):
        raise _refused(f"functions are named alone: {name}")
    if name in _TIME or name in _TABLE_FUNCTIONS or not name.isidentifier():
        return
    if _REFUSED.fullmatch(name) or name in _volatile():
        raise _refused(f"the function {name} is not allowed")


@cache
def _volatile() -> frozenset[str]:
    """Functions that change something, or say something else each time; random numbers do not."""
    query = (
        "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE stability = 'VOLATILE'"
    )
    with duckdb.connect() as connection:
        found = {row[0] for row in connection.execute(query).fetchall()}
    return frozenset(found - {"random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7"})


def _serialized(sql: str, given: duckdb.DuckDBPyConnection | None) -> str:
    connection = given or duckdb.connect(config={"threads": 1})
    try:
        parse = "SELECT json_serialize_sql(?::VARCHAR)"
        rows = connection.execute(parse, [sql]).fetchall()
    except (duckdb.Error, UnicodeError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput("cannot read the query", why) from None
    finally:
        if given is None:
            connection.close()
    return str(rows[0][0])


def _ctes(node: Any, depth: int) -> Iterator[str]:
    """Names that WITH gives."""
    for one in _dicts(node, depth):
        for entry in (one.get("cte_map") or {}).get("map", []):
            yield str(entry["key"]).lower()
        if one.get("type") == "RECURSIVE_CTE_NODE" and one.get("cte_name"):
            yield str(one["cte_name"]).lower()


def _dicts(node: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth > _DEEPEST:
        raise _refused("it is nested too deeply")
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _dicts(value, depth + 1)
    elif isinstance(node, list):
        for value in node:
            yield from _dicts(value, depth + 1)


def _refused(why: str) -> BadInput:
    next = "one SELECT over the views: martello monitor hunt --help"
    return BadInput("the hunt is refused", why, next)
