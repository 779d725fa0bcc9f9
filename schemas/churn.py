"""The `churn` world: what a SaaS product's customers did, day by day, over 18 months."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, MetaData, String, Table
from sqlalchemy import column as sql_column

from schemas.sql import Logical
from schemas.types import DATE, FLOAT, INT, STRING, LogicalType, decimal

PLANS = ("Free", "Basic", "Pro", "Enterprise")
REGIONS = ("NA", "EU", "APAC", "LATAM")
PAYMENT_STATUSES = ("paid", "late", "failed")
TICKET_CATEGORIES = ("billing", "technical", "onboarding")
TICKET_PRIORITIES = ("low", "medium", "high")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def _required(name: str, type_: LogicalType, **kwargs: Any) -> Column[Any]:
    return Column(name, Logical(type_), nullable=False, **kwargs)


def _key(name: str, type_: LogicalType, **kwargs: Any) -> Column[Any]:
    return Column(name, Logical(type_), primary_key=True, autoincrement=False, **kwargs)


def _customer(*, primary_key: bool = False) -> Column[Any]:
    return Column(
        "customer_id",
        Logical(INT),
        ForeignKey("customers.customer_id"),
        nullable=False,
        primary_key=primary_key,
        autoincrement=False,
        index=not primary_key,
    )


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(sql_column(column, String).in_(values), name=column)


customers = Table(
    "customers",
    metadata,
    _key("customer_id", INT),
    _required("signup_date", DATE),
    _required("plan", STRING),
    _required("region", STRING),
    _one_of("plan", PLANS),
    _one_of("region", REGIONS),
    comment="customers that signed up within the window",
)

usage_daily = Table(
    "usage_daily",
    metadata,
    _customer(primary_key=True),
    _key("usage_date", DATE),
    _required("sessions", INT, comment="sessions begun that day; 0 where one begun the day before went on"),
    _required("usage_minutes", FLOAT, comment="minutes of use that day"),
    _required("feature_events", INT, comment="uses of a feature in the day's sessions"),
    comment="days on which a customer used the product; 12 to 18 % of the logs were lost",
)

billing = Table(
    "billing",
    metadata,
    _customer(primary_key=True),
    _key("bill_date", DATE),
    _required("amount", decimal(12, 2), comment="US dollars"),
    _required("payment_status", STRING),
    _one_of("payment_status", PAYMENT_STATUSES),
    comment="bills of customers on a paid plan, about every 13 days",
)

support = Table(
    "support",
    metadata,
    _key("ticket_id", INT),
    _customer(),
    _required("ticket_date", DATE),
    _required("category", STRING),
    _required("priority", STRING),
    _one_of("category", TICKET_CATEGORIES),
    _one_of("priority", TICKET_PRIORITIES),
    comment="support tickets",
)
