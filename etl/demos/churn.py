"""The churn demo: raw Parquet files, staged and turned into features by the GoogleSQL in ``queries/churn``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from etl.config import Config
from etl.console import grid, out
from etl.demos.steps import generated, headline, remove_earlier, timed
from etl.errors import RunError
from etl.publish.figures import reader
from etl.publish.marts import MartResult, build
from etl.publish.queries import load
from etl.publish.verification import Verdict
from etl.warehouses.duckdb import DuckDbWarehouse
from schemas.churn import metadata

_WORKERS = 2
_STAGING = "staging_"


def demo(base: Config, directory: Path, customers: int, seed: int) -> None:
    """Write ``raw/``, ``staging/``, ``analytics/`` and a dashboard under ``directory``, and say what staging did.

    Raises ``MartError`` if a query's own test finds rows, ``QueryError`` for a query that cannot be
    translated, and ``RunError`` or ``GeneratorError`` where files cannot be written.
    """
    queries = load("churn")
    raw, page = directory / "raw", directory / "churn.html"
    with timed("The next `etl demo --world churn` writes everything anew."):
        remove_earlier(directory, [page, *(_folder(directory, name) / f"{name}.parquet" for name in queries)])
        headline(f"Generating the churn world: {customers:,} customers, 18 months, seed {seed}")
        rows = generated("churn", f"parquet:{raw}", raw, customers, seed, _WORKERS)
        headline("Staging and features: GoogleSQL, run by DuckDB over the files")
        with TemporaryDirectory(prefix="etl-churn-") as scratch:
            warehouse = DuckDbWarehouse(Path(scratch) / "churn.duckdb", memory_limit=base.warehouse.memory_limit)
            try:
                warehouse.commit([_view(warehouse, table, raw) for table in metadata.tables])
                built = build(warehouse, queries, _no_gate)
                for name in queries:
                    _write(warehouse, name, _folder(directory, name))
                _show(directory, rows, built)
                _show_quality(warehouse)
                _show_label(warehouse)
                _draw(warehouse, page)
            finally:
                warehouse.close()


def _draw(warehouse: DuckDbWarehouse, path: Path) -> None:
    from etl.publish import churn, dashboard  # noqa: PLC0415  # Altair takes a second to import

    unproven = Verdict("Made from the generated files themselves: there is no copy to prove", None, ())
    dashboard.write(path, dashboard.page(churn.board(reader(warehouse)), unproven))
    out.print(f"\nDashboard: {path}")


def _no_gate() -> None:
    """The files were made here, so there is no copy to prove."""


def _folder(directory: Path, query: str) -> Path:
    return directory / ("staging" if query.startswith(_STAGING) else "analytics")


def _view(warehouse: DuckDbWarehouse, table: str, raw: Path) -> str:
    path = warehouse.dialect.string(str(raw / f"{table}.parquet"))
    return f"CREATE VIEW {warehouse.relation('raw', table)} AS SELECT * FROM read_parquet({path})"


def _write(warehouse: DuckDbWarehouse, name: str, folder: Path) -> None:
    """Write a mart as Parquet, under its name once it is whole; rows go from DuckDB to the file, not through memory."""
    partial = folder / f".{name}.parquet.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        to = warehouse.dialect.string(str(partial))
        warehouse.commit([f"COPY (SELECT * FROM {warehouse.relation('marts', name)}) TO {to} (FORMAT parquet)"])
        partial.replace(folder / f"{name}.parquet")
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror}", "name another with --dir") from error
    finally:
        partial.unlink(missing_ok=True)


def _show(directory: Path, raw: dict[str, int], built: Sequence[MartResult]) -> None:
    cells = [(str(directory / "raw" / f"{name}.parquet"), f"{count:,}", "", "") for name, count in raw.items()]
    cells += [
        (
            str(_folder(directory, mart.name) / f"{mart.name}.parquet"),
            f"{mart.rows:,}",
            str(mart.tests),
            f"{mart.seconds:.2f}",
        )
        for mart in built
    ]
    columns = ("file", "rows", "tests passed", "s")
    out.print(grid("", columns, cells, columns[1:]))


def _show_quality(warehouse: DuckDbWarehouse) -> None:
    headline("What staging removed and mended")
    found = warehouse.query(f"SELECT * FROM {warehouse.relation('marts', 'staging_quality')} ORDER BY raw_rows DESC")
    cells = [
        (
            row["table_name"],
            *(f"{row[name]:,}" for name in ("raw_rows", "staged_rows", "removed_rows")),
            _percent(row["removed_share"]),
            f"{row['mended_rows']:,}",
            _percent(row["mended_share"]),
        )
        for row in found.to_pylist()
    ]
    columns = ("table", "raw rows", "staged rows", "removed", "of raw", "mended", "of staged")
    out.print(grid("", columns, cells, columns[1:]))


def _show_label(warehouse: DuckDbWarehouse) -> None:
    headline("Churn of those at risk at the cut-off, by plan")
    found = warehouse.query(
        "SELECT plan, COUNT(*) AS customers, AVG(CASE WHEN has_churned THEN 1.0 ELSE 0.0 END) AS churned"
        f" FROM {warehouse.relation('marts', 'churn_features')} WHERE is_at_risk GROUP BY plan ORDER BY churned DESC"
    )
    cells = [(row["plan"], f"{row['customers']:,}", _percent(row["churned"])) for row in found.to_pylist()]
    out.print(grid("", ("plan", "at risk", "churned"), cells, ("at risk", "churned")))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"
