"""The `health` world: subscriptions and monthly recurring revenue of 500 customers over 24 months."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, MetaData, String, Table
from sqlalchemy import column as sql_column

from schemas.sql import Logical
from schemas.types import DATE, STRING, LogicalType, decimal

TIERS = ("Starter", "Pro", "Enterprise")
STATUSES = ("active", "churned")
MONEY = decimal(12, 2)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _required(name: str, type_: LogicalType, **kwargs: Any) -> Column[Any]:
    return Column(name, Logical(type_), nullable=False, **kwargs)


def _key(name: str, type_: LogicalType, **kwargs: Any) -> Column[Any]:
    return Column(name, Logical(type_), primary_key=True, **kwargs)


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(sql_column(column, String).in_(values), name=column)


customers = Table(
    "day06_customers",
    metadata,
    _key("customer_id", STRING, comment="cus_ and 16 letters or digits"),
    _required("email", STRING),
    _required("signup_date", DATE),
    _required("plan_tier", STRING, comment="the current tier, or the last one of a churned customer"),
    _required("mrr_current", MONEY, comment="US dollars a month; a churned customer keeps its last"),
    _required("status", STRING),
    _one_of("plan_tier", TIERS),
    _one_of("status", STATUSES),
    comment="customers that signed up in 2023 and 2024",
)

subscriptions = Table(
    "day06_subscriptions",
    metadata,
    _key("subscription_id", STRING, comment="sub_ and 16 letters or digits"),
    Column("customer_id", Logical(STRING), ForeignKey("day06_customers.customer_id"), nullable=False),
    _required("start_date", DATE),
    Column("end_date", Logical(DATE), nullable=True, comment="last day covered; NULL while active"),
    _required("mrr", MONEY, comment="US dollars a month"),
    _required("plan_tier", STRING),
    _one_of("plan_tier", TIERS),
    comment="one row a period on one tier; an upgrade or downgrade starts the next row",
)

mrr_movements = Table(
    "day06_mrr_movements",
    metadata,
    _key("month", DATE, comment="first day of the month"),
    _required("new_mrr", MONEY, comment="of first subscriptions"),
    _required("expansion_mrr", MONEY, comment="gained by upgrades"),
    _required("contraction_mrr", MONEY, comment="lost by downgrades, as a positive amount"),
    _required("churn_mrr", MONEY, comment="lost by cancellations, as a positive amount"),
    _required("net_mrr", MONEY, comment="new + expansion - contraction - churn"),
    comment="what changed the monthly recurring revenue, month by month",
)

Index("idx_day06_subscriptions_customer_id", subscriptions.c.customer_id)
Index("idx_day06_subscriptions_start_date", subscriptions.c.start_date)
Index("idx_day06_customers_signup_date", customers.c.signup_date)
Index("idx_day06_customers_status", customers.c.status)
