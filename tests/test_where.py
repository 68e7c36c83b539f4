import duckdb
import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.where import compile_condition

NAMES = {
    "accent": ("accent", True),
    "age": ("age", True),
    "Speaker ID": ("Speaker ID", True),
    "duration": ("duration", False),
}


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("expression", "used"),
    [
        ("accent = 'us'", {"accent"}),
        ("AGE >= 18 and not accent in ('us', 'uk')", {"age", "accent"}),
        ("\"Speaker ID\" like 's%' or age between 1 and 2", {"Speaker ID", "age"}),
        ("try_cast(age as double) > 3 -- comment", {"age"}),
        ("case when age is null then false else lower(accent) <> 'x' end", {"age", "accent"}),
        ("1 = 1", set()),
    ],
)
def test_conditions_on_columns(connection, expression, used):
    assert compile_condition(connection, expression, NAMES)[1] == used


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("accnt = 'us'", "no column 'accnt'.*Did you mean 'accent'"),
        ("age >", "syntax error"),
        ("exists (select 1)", "subquery expressions are not allowed"),
        ("age in (select 1)", "not allowed"),
        ("accent in (select content from read_text('/etc/passwd'))", "not allowed"),
        ("getenv('HOME') = 'x'", "function getenv is not allowed"),
        ("current_setting('threads') = 1", "not allowed"),
        ("count(*) > 1", "not allowed"),
        ("row_number() over () = 1", "not allowed"),
        ("true) union select 1 from t where (true", "more than an expression"),
        ("true) order by (age", "more than an expression"),
        ("true) limit (1", "more than an expression"),
        ("true) group by (age", "more than an expression"),
        ("true; drop table t", "syntax error"),
        ("", "it is empty"),
        ("age = ?", "not allowed|more than an expression"),
    ],
)
def test_nothing_else(connection, expression, why):
    with pytest.raises(FairauditError, match=why):
        compile_condition(connection, expression, NAMES)


@pytest.mark.parametrize(
    ("expression", "sql"),
    [
        ("age > 3", "CAST(age AS DOUBLE) > 3"),
        ("2.5 <= age", "2.5 <= CAST(age AS DOUBLE)"),
        ("age in (1, 2)", "CAST(age AS DOUBLE) IN (1, 2)"),
        ("age between 1 and 2", "CAST(age AS DOUBLE) BETWEEN 1 AND 2"),
        ("age = '3'", "age = '3'"),
        ("duration > 3", "duration > 3"),
    ],
)
def test_text_that_is_compared_with_numbers_becomes_numeric(connection, expression, sql):
    assert sql in compile_condition(connection, expression, NAMES)[0]


def test_names_that_differ_in_case_only(connection):
    names = {"Age": ("Age", True), "age": ("age:2", True)}
    assert compile_condition(connection, "age = 'x'", names)[1] == {"age:2"}
    assert compile_condition(connection, "Age = 'x'", names)[1] == {"Age"}
    with pytest.raises(FairauditError, match="'AGE' may be any of Age, age"):
        compile_condition(connection, "AGE = 'x'", names)
