"""Connections: DB-API ones of mssql-python, and SQLAlchemy's engine over them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event

from schemas.mssql.address import Address, address
from schemas.mssql.driver import loaded_driver
from schemas.mssql.errors import MssqlError, Trouble, driver_errors, translated
from schemas.mssql.parameters import execute_many, with_nulls

_UNDO = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"


def connect(at: Address | str) -> Any:
    """A connection of mssql-python in autocommit mode, which the caller closes; raises ``MssqlError``.

    Transactions are begun and ended in words (BEGIN TRANSACTION): with the driver's own the younger
    one loses its place in the stream on Babelfish. UUIDs come as text in capitals.
    """
    where = address(at) if isinstance(at, str) else at
    module = loaded_driver(where.provider)
    try:
        return module.connect(where.connection_string, autocommit=True, timeout=where.login_seconds, native_uuid=False)
    except module.ConnectionStringParseError as error:
        reason = "; ".join(error.errors)
        raise MssqlError(Trouble.ADDRESS, f"{where}: {reason}", "mend the options of the URL") from error
    except (module.Error, RuntimeError, ValueError) as error:
        raise translated(error, str(where)) from error


@contextmanager
def transaction(cursor: Any) -> Iterator[None]:
    """One transaction of the connection of ``cursor``, undone if anything is raised within."""
    cursor.execute("BEGIN TRANSACTION")
    try:
        yield
        cursor.execute("COMMIT TRANSACTION")
    except BaseException:
        # What broke the connection has undone it, and is what the caller is to hear of.
        with suppress(*driver_errors()):
            cursor.execute(_UNDO)
        raise


def engine(at: Address | str) -> Engine:
    """SQLAlchemy's engine on such connections; connecting raises ``MssqlError``, statements ``SQLAlchemyError``.

    Nothing is pooled: an open transaction ends with its connection.
    """
    where = address(at) if isinstance(at, str) else at
    loaded_driver(where.provider)
    made = create_engine("mssql+mssqlpython://", creator=lambda: connect(where), poolclass=NullPool, paramstyle="qmark")
    # SQLAlchemy reads the version off @@VERSION, which does not start with "Microsoft" on Babelfish.
    made.dialect._get_server_version_info = _version  # type: ignore[method-assign]
    event.listen(made, "do_execute", _execute)
    event.listen(made, "do_executemany", _execute_many)
    event.listen(made, "begin", _begin)
    event.listen(made, "commit", _commit)
    event.listen(made, "rollback", _rollback)
    return made


def _version(connection: Connection) -> tuple[int, ...]:
    said = connection.exec_driver_sql("SELECT CAST(SERVERPROPERTY('ProductVersion') AS varchar(40))").scalar()
    return tuple(int(part) for part in str(said).split(".") if part.isdecimal())


def _execute(cursor: Any, statement: str, parameters: Any, _context: Any) -> bool:
    cursor.execute(with_nulls(statement, parameters), tuple(value for value in parameters if value is not None))
    return True


def _execute_many(cursor: Any, statement: str, rows: Any, _context: Any) -> bool:
    execute_many(cursor, statement, rows)
    return True


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN TRANSACTION")


def _commit(connection: Connection) -> None:
    connection.exec_driver_sql("COMMIT TRANSACTION")


def _rollback(connection: Connection) -> None:
    """Some errors have ended the transaction already."""
    connection.exec_driver_sql(_UNDO)
