"""Small worlds: rows with only what matters named, and a random hopify world full of edges."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import MetaData

from etl.warehouses.duckdb import DuckDbWarehouse
from schemas import hopify
from schemas.mappings import ddl_type
from schemas.table import Column, Table
from schemas.types import Kind, LogicalType

Row = dict[str, Any]
World = dict[str, list[Row]]
Marts = Callable[[World], Callable[[str], list[Row]]]
"""Builds the marts of a world; what it returns reads them."""

DEFAULTS: dict[Kind, Any] = {
    Kind.INT: 1,
    Kind.DECIMAL: Decimal("0.00"),
    Kind.STRING: "x",
    Kind.BOOL: True,
    Kind.DATE: date(2024, 1, 1),
    Kind.DATETIME: datetime(2024, 1, 1),
    Kind.TIMESTAMP: datetime(2024, 1, 1, tzinfo=UTC),
    Kind.TIME: time(9),
    Kind.FLOAT: 0.5,
    Kind.BYTES: b"x",
    Kind.UUID: str(uuid.UUID(int=1)),
    Kind.JSON: "{}",
}


def table(name: str, schema: MetaData = hopify.metadata) -> Table:
    """The schema's table as the engine sees it."""
    columns = [
        Column(column.name, column.type.logical, bool(column.nullable))  # type: ignore[attr-defined]
        for column in schema.tables[name].columns
    ]
    return Table(name, tuple(columns))


def row(name: str, values: Row, schema: MetaData = hopify.metadata) -> Row:
    """A row of the table; what is not named is NULL where allowed, else a plain value of its type."""
    columns = {column.name: column for column in table(name, schema).columns}
    unknown = values.keys() - columns.keys()
    assert not unknown, f"{name} has no {unknown}"
    return {
        column.name: values.get(column.name, None if column.nullable else _default(column.type))
        for column in columns.values()
    }


def world(**tables: list[Row]) -> World:
    """Every hopify table, empty unless given as rows of which only what matters is named."""
    return world_of(hopify.metadata, tables)


def world_of(schema: MetaData, tables: World) -> World:
    """The same of any schema."""
    return {name: [row(name, values, schema) for values in tables.get(name, [])] for name in sorted(schema.tables)}


def stored(contents: World, path: Path, schema: MetaData = hopify.metadata) -> DuckDbWarehouse:
    """A DuckDB warehouse whose raw tables hold the world."""
    warehouse = DuckDbWarehouse(path)
    for name, rows in contents.items():
        target = table(name, schema)
        columns = ", ".join(f"{column.name} {ddl_type('duckdb', column.type)}" for column in target.columns)
        warehouse.commit([f"CREATE TABLE raw.{name} ({columns})"])
        warehouse.append(name, target, pa.Table.from_pylist(rows, schema=target.arrow).to_batches())
    return warehouse


def customer(signed_up_on: date, customer_id: int = 1, **values: Any) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "segment": "SMB",
        "acquisition_source": "email",
        "signed_up_on": signed_up_on,
        **values,
    }


def subscription(started_on: date, ended_on: date | None = None, price: str = "10.00", **values: Any) -> dict[str, Any]:
    return {
        "customer_id": 1,
        "subscription_id": 1,
        "started_on": started_on,
        "ended_on": ended_on,
        "status": "cancelled" if ended_on else "active",
        "monthly_price": Decimal(price),
        **values,
    }


def ticket_on(day: date) -> dict[str, Any]:
    """Something that happens on a day, so that the data reaches it."""
    return {
        "customer_id": 1,
        "opened_at": datetime.combine(day, datetime.min.time()),
        "status": "open",
        "priority": "low",
    }


def random_world(seed: int, customers: int = 40, days: int = 140) -> World:
    """A world without sense but within the schema's constraints, crowded with edges.

    Days fall on month ends, leap days and the same day far more often than chance would have it.
    """
    return _Dice(seed, days).world(customers)


def _default(type_: LogicalType) -> Any:
    return DEFAULTS[type_.kind]


class _Dice:
    FIRST = date(2023, 12, 15)
    EDGES = (date(2023, 12, 31), date(2024, 1, 1), date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 1))

    def __init__(self, seed: int, days: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.LAST = self.FIRST + timedelta(days=days)
        self.tables: dict[str, list[Row]] = {}

    def world(self, customers: int) -> World:
        self._static()
        for customer_id in range(1, customers + 1):
            self._customer(customer_id)
        return world(**self.tables)

    def day(self, start: date = FIRST) -> date:
        edges = [edge for edge in self.EDGES if edge >= start]
        if edges and self.random.random() < 0.4:
            return self.random.choice(edges)
        return start + timedelta(days=self.random.randint(0, max(0, (self.LAST - start).days)))

    def moment(self, day: date) -> datetime:
        seconds = self.random.choice([0, 86_399, self.random.randint(0, 86_399)])
        return datetime.combine(day, time()) + timedelta(seconds=seconds)

    def money(self, most: int = 500) -> Decimal:
        if self.random.random() < 0.15:
            return Decimal(self.random.choice(("0.00", "0.01", "1.00")))
        return Decimal(self.random.randint(0, most * 100)).scaleb(-2)

    def add(self, table_name: str, /, **values: Any) -> int:
        rows = self.tables.setdefault(table_name, [])
        key = next(iter(hopify.metadata.tables[table_name].primary_key)).name
        rows.append({key: len(rows) + 1, **values})
        return len(rows)

    def _static(self) -> None:
        for number in range(3):
            self.add(
                "products",
                sku=f"p{number}",
                category=self.random.choice(hopify.PRODUCT_CATEGORIES[:2]),
                revenue_type=self.random.choice(hopify.REVENUE_TYPES),
            )
            self.add("locations", city=f"city {number}")
            self.add("plans", name=f"plan {number}", tier=number + 1, monthly_price=self.money() + 1)
        for segment in ("all", "SMB", "Enterprise", "nobody's"):
            for metric, period in (("mrr", "monthly"), ("logo_churn_rate", "monthly"), ("unheard_of", "annual")):
                rows = self.tables.setdefault("benchmarks", [])
                target = Decimal(self.random.randint(0, 3000)).scaleb(-2)
                rows.append(
                    {"segment": segment, "metric_name": metric, "target_period": period, "target_value": target}
                )
        for number in range(4):
            start = self.day()
            self.add(
                "campaigns",
                name=f"c{number}",
                channel=self.random.choice(hopify.CHANNELS),
                starts_on=start,
                ends_on=self.day(start),
                spend=self.money(9000),
            )
            self.add("discounts", code=f"CODE{number}", valid_from=start, valid_to=self.day(start))
        # The first of them lies before anybody has signed up.
        for month in (date(2023, 10, 1), date(2023, 12, 1), date(2024, 1, 1), date(2024, 3, 1)):
            for channel in hopify.CHANNELS[:3]:
                visitors = self.random.choice([0, self.random.randint(10, 999)])
                self.add(
                    "web_traffic",
                    month=month,
                    channel=channel,
                    visitors=visitors,
                    leads=visitors // 2,
                    mqls=visitors // 9,
                )

    def _customer(self, customer_id: int) -> None:
        signed_up = self.day()
        self.add(
            "customers",
            segment=self.random.choice(hopify.SEGMENTS),
            acquisition_source=self.random.choice(hopify.CHANNELS),
            campaign_id=self.random.choice([None, None, 1, 2, 3]),
            signed_up_on=signed_up,
        )
        for started, ended, status in self._periods(signed_up):
            subscription = self.add(
                "subscriptions",
                customer_id=customer_id,
                started_on=started,
                ended_on=ended,
                status=status,
                start_reason=self.random.choice(hopify.START_REASONS),
                plan_id=self.random.randint(1, 3),
                monthly_price=self.money(),
            )
            if status == "cancelled" and ended:
                reason = self.random.choice(hopify.CHURN_REASONS)
                self.add("churn_events", subscription_id=subscription, churned_on=ended, reason=reason, score=0.25)
        for _ in range(self.random.randint(0, 3)):
            self._order(customer_id, signed_up)
            self._ticket(customer_id, signed_up)
            self._install(customer_id, signed_up)

    def _periods(self, start: date) -> Iterator[tuple[date, date | None, str]]:
        while start < self.LAST and self.random.random() < 0.8:
            end = max(start + timedelta(days=1), self.day(start))
            if self.random.random() < 0.4 or end > self.LAST:
                yield start, None, "active"
                return
            status = self.random.choice(("changed", "cancelled"))
            yield start, end, status
            start = end if status == "changed" else self.day(end)

    def _order(self, customer_id: int, start: date) -> None:
        ordered_at = self.moment(self.day(start))
        order = self.add(
            "orders",
            customer_id=customer_id,
            ordered_at=ordered_at,
            created_at=ordered_at + timedelta(days=self.random.choice([0, 0, 0, 3, 40])),
            status=self.random.choice(hopify.ORDER_STATUSES),
        )
        for product in range(self.random.randint(0, 2)):
            quantity = self.random.randint(1, 9)
            self.add("order_items", order_id=order, product_id=product + 3, quantity=quantity, unit_price=self.money())
        for discount in self.random.sample(range(1, 5), self.random.choice([0, 0, 1, 2])):
            rows = self.tables.setdefault("order_discounts", [])
            rows.append({"order_id": order, "discount_id": discount, "amount_off": self.money(20)})
        for attempt in range(self.random.randint(0, 2)):
            status = self.random.choice(hopify.PAYMENT_STATUSES)
            paid_at = min(ordered_at + timedelta(days=attempt), datetime.combine(self.LAST, time()))
            self.add("payments", order_id=order, attempt=attempt, status=status, amount=self.money(), paid_at=paid_at)

    def _ticket(self, customer_id: int, start: date) -> None:
        opened_at = self.moment(self.day(start))
        closed_at = self.random.choice(
            [None, opened_at, opened_at + timedelta(seconds=self.random.randint(1, 900_000))]
        )
        self.add(
            "support_tickets",
            customer_id=customer_id,
            priority=self.random.choice(hopify.TICKET_PRIORITIES),
            opened_at=opened_at,
            closed_at=closed_at,
            status="closed" if closed_at else "open",
            first_response_minutes=self.random.choice([None, 0, self.random.randint(1, 5000)]),
            satisfaction=self.random.choice([None, 1, 5]),
        )

    def _install(self, customer_id: int, start: date) -> None:
        installed_at = self.moment(self.day(start)).replace(tzinfo=UTC)
        lived = timedelta(seconds=self.random.choice([0, 1, self.random.randint(1, 9_000_000)]))
        self.add(
            "app_installs",
            customer_id=customer_id,
            location_id=self.random.randint(1, 3),
            installed_at=installed_at,
            removed_at=self.random.choice([None, installed_at + lived]),
        )
