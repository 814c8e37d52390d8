"""Check that a statement is one that Oracle takes, as far as can be told without Oracle."""

import re

import sqlglot
from sqlalchemy import ClauseElement
from sqlglot import expressions

from tests.support.archive_tables import oracle_sql

OWNER = "ALMA"


def check_oracle(statement: ClauseElement) -> str:
    """Compile for Oracle, parse as Oracle, and check that values are bound; return the SQL."""
    sql = oracle_sql(statement)
    tree = sqlglot.parse_one(sql, read="oracle")
    assert isinstance(tree, expressions.Select)
    # Oracle takes an empty text for NULL, so a comparison with one is never true.
    literals = [literal.this for literal in tree.find_all(expressions.Literal) if literal.is_string]
    assert not literals, f"values that are not bound: {literals} in {sql}"
    # sqlglot is lenient: it takes LIMIT, and EXISTS or a comparison among the columns.
    assert not re.search(r"\bLIMIT\b|SELECT EXISTS|\bTRUE\b|\bFALSE\b", sql), sql
    owned = oracle_sql(statement, owner=OWNER)
    tables = list(sqlglot.parse_one(owned, read="oracle").find_all(expressions.Table))
    assert tables
    assert {table.db for table in tables} == {OWNER}
    return sql
