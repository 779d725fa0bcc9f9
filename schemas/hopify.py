"""The `hopify` world: a SaaS company's operational database, in third normal form.

Every table that changes has `updated_at`, the instant of its row's last change (UTC), which the
application maintains by itself and, as in real life, sometimes forgets.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, MetaData, String, Table, UniqueConstraint
from sqlalchemy import column as sql_column

from schemas.sql import Logical
from schemas.types import BOOL, BYTES, DATE, DATETIME, FLOAT, INT, JSON, STRING, TIME, TIMESTAMP, UUID, decimal

SEGMENTS = ("SMB", "Mid-Market", "Enterprise")
CHANNELS = ("organic_search", "paid_search", "social", "referral", "email", "partner")
SUBSCRIPTION_STATUSES = ("active", "changed", "cancelled")
START_REASONS = ("new", "upgrade", "downgrade", "reactivation")
ORDER_STATUSES = ("pending", "completed", "cancelled", "refunded")
PAYMENT_METHODS = ("credit_card", "bank_transfer", "paypal", "direct_debit")
PAYMENT_STATUSES = ("succeeded", "failed", "refunded")
TICKET_STATUSES = ("open", "pending", "closed")
TICKET_CATEGORIES = ("billing", "technical", "onboarding", "feature_request", "account")
TICKET_PRIORITIES = ("low", "medium", "high", "urgent")
PRODUCT_CATEGORIES = ("analytics", "automation", "integration", "security", "training", "support")
REVENUE_TYPES = ("one_time", "subscription")
CAMPAIGN_TYPES = ("seasonal", "product_launch", "brand", "event", "retargeting")
CHURN_REASONS = ("price", "missing_features", "poor_support", "low_usage", "competitor", "business_closed")
TARGET_PERIODS = ("monthly", "annual", "lifetime")

MONEY = decimal(12, 2)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def _id(name: str) -> Column[Any]:
    """The single integer key every entity starts with; numbered by the world, not by the engine."""
    return Column(name, Logical(INT), primary_key=True, autoincrement=False)


def _required(name: str, type_: Any, *args: Any, **kwargs: Any) -> Column[Any]:
    return Column(name, Logical(type_), *args, nullable=False, **kwargs)


def _optional(name: str, type_: Any, *args: Any, **kwargs: Any) -> Column[Any]:
    return Column(name, Logical(type_), *args, nullable=True, **kwargs)


def _refers(name: str, target: str, *, nullable: bool = False, primary_key: bool = False) -> Column[Any]:
    return Column(
        name, Logical(INT), ForeignKey(target), nullable=nullable, primary_key=primary_key, index=not primary_key
    )


def _updated() -> Column[Any]:
    return _required("updated_at", DATETIME, index=True, comment="instant of the row's last change, UTC")


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(sql_column(column, String).in_(values), name=column)


locations = Table(
    "locations",
    metadata,
    _id("location_id"),
    _required("city", STRING),
    _required("region", STRING, comment="AMER, EMEA or APAC"),
    _required("country_code", STRING, comment="ISO 3166-1 alpha-2"),
    _required("time_zone", STRING, comment="IANA name"),
    _required("opens_at", TIME, comment="local time"),
    _required("closes_at", TIME, comment="local time"),
    _required("opened_on", DATE),
    _updated(),
    UniqueConstraint("city", "country_code"),
    CheckConstraint("opens_at < closes_at", name="hours"),
    comment="offices to which app installs belong",
)

plans = Table(
    "plans",
    metadata,
    _id("plan_id"),
    _required("name", STRING, unique=True),
    _required("segment", STRING, comment="the segment the plan is made for"),
    _required("tier", INT, comment="1 is the lowest; an upgrade moves to a higher tier"),
    _required("monthly_price", MONEY),
    _updated(),
    _one_of("segment", SEGMENTS),
    CheckConstraint("tier > 0", name="tier"),
    comment="what can be subscribed to",
)

campaigns = Table(
    "campaigns",
    metadata,
    _id("campaign_id"),
    _required("name", STRING, unique=True),
    _required("channel", STRING),
    _required("campaign_type", STRING),
    _required("starts_on", DATE),
    _required("ends_on", DATE),
    _required("spend", MONEY),
    _updated(),
    _one_of("channel", CHANNELS),
    _one_of("campaign_type", CAMPAIGN_TYPES),
    CheckConstraint("ends_on >= starts_on", name="dates"),
    comment="marketing campaigns; they lift traffic and signups of their channel",
)

products = Table(
    "products",
    metadata,
    _id("product_id"),
    _required("sku", STRING, unique=True),
    _required("name", STRING),
    _required("description", STRING),
    _required("category", STRING),
    _required("revenue_type", STRING),
    _required("list_price", MONEY),
    _required("is_active", BOOL),
    _required("launched_on", DATE),
    _updated(),
    _one_of("category", PRODUCT_CATEGORIES),
    _one_of("revenue_type", REVENUE_TYPES),
    comment="what can be ordered, once or by subscription",
)

customers = Table(
    "customers",
    metadata,
    _id("customer_id"),
    _required("public_id", UUID, unique=True, comment="the identifier shown to the outside"),
    _required("company_name", STRING),
    _required("contact_name", STRING),
    _required("email", STRING, unique=True),
    _optional("phone", STRING),
    _required("street_address", STRING),
    _required("city", STRING),
    _optional("postal_code", STRING),
    _required("country_code", STRING, comment="ISO 3166-1 alpha-2"),
    _required("segment", STRING),
    _required("acquisition_source", STRING),
    _refers("campaign_id", "campaigns.campaign_id", nullable=True),
    _required("signed_up_on", DATE, index=True),
    _required("accepts_marketing", BOOL),
    _required("created_at", DATETIME),
    _updated(),
    _one_of("segment", SEGMENTS),
    _one_of("acquisition_source", CHANNELS),
    comment="companies that signed up",
)

subscriptions = Table(
    "subscriptions",
    metadata,
    _id("subscription_id"),
    _refers("customer_id", "customers.customer_id"),
    _refers("plan_id", "plans.plan_id"),
    _required("status", STRING, comment="changed: ended by an upgrade or downgrade"),
    _required("start_reason", STRING),
    _required("started_on", DATE),
    _optional("ended_on", DATE, comment="first day no longer covered"),
    _required("monthly_price", MONEY, comment="price agreed, which may differ from the plan's"),
    _required("created_at", DATETIME),
    _updated(),
    _one_of("status", SUBSCRIPTION_STATUSES),
    _one_of("start_reason", START_REASONS),
    CheckConstraint("ended_on IS NULL OR ended_on > started_on", name="dates"),
    CheckConstraint(
        "status = 'active' AND ended_on IS NULL OR status <> 'active' AND ended_on IS NOT NULL", name="active"
    ),
    comment="one row a period on one plan; at most one is active for a customer",
)

discounts = Table(
    "discounts",
    metadata,
    _id("discount_id"),
    _required("code", STRING, unique=True),
    _required("description", STRING),
    _required("percent_off", decimal(5, 2)),
    _required("valid_from", DATE),
    _required("valid_to", DATE),
    _optional("max_uses", INT),
    _updated(),
    CheckConstraint("valid_to >= valid_from", name="dates"),
    comment="promo codes",
)

orders = Table(
    "orders",
    metadata,
    _id("order_id"),
    _refers("customer_id", "customers.customer_id"),
    _required("ordered_at", DATETIME, index=True),
    _required("status", STRING),
    _optional("note", STRING),
    _required("created_at", DATETIME, comment="later than ordered_at for a backdated row"),
    _updated(),
    _one_of("status", ORDER_STATUSES),
    comment="an order's amount is the sum of its items less its discounts",
)

order_items = Table(
    "order_items",
    metadata,
    _id("order_item_id"),
    _refers("order_id", "orders.order_id"),
    _refers("product_id", "products.product_id"),
    _required("quantity", INT),
    _required("unit_price", MONEY, comment="price at the time of the order"),
    _updated(),
    UniqueConstraint("order_id", "product_id"),
    CheckConstraint("quantity > 0", name="quantity"),
    comment="lines of an order, one a product",
)

order_discounts = Table(
    "order_discounts",
    metadata,
    _refers("order_id", "orders.order_id", primary_key=True),
    _refers("discount_id", "discounts.discount_id", primary_key=True),
    _required("amount_off", MONEY),
    _updated(),
    comment="promo codes used on orders",
)

payments = Table(
    "payments",
    metadata,
    _id("payment_id"),
    _refers("order_id", "orders.order_id"),
    _required("attempt", INT),
    _required("method", STRING),
    _required("status", STRING),
    _required("amount", MONEY),
    _optional("failure_code", STRING),
    _required("paid_at", DATETIME, comment="instant of the attempt, UTC"),
    _updated(),
    UniqueConstraint("order_id", "attempt"),
    _one_of("method", PAYMENT_METHODS),
    _one_of("status", PAYMENT_STATUSES),
    CheckConstraint(
        "status = 'failed' AND failure_code IS NOT NULL OR status <> 'failed' AND failure_code IS NULL", name="failure"
    ),
    comment="attempts to pay an order; a failed one is usually tried again",
)

support_tickets = Table(
    "support_tickets",
    metadata,
    _id("ticket_id"),
    _refers("customer_id", "customers.customer_id"),
    _required("category", STRING),
    _required("priority", STRING),
    _required("status", STRING),
    _required("subject", STRING),
    _required("opened_at", DATETIME),
    _optional("first_response_minutes", INT),
    _optional("closed_at", DATETIME),
    _optional("satisfaction", INT, comment="1 to 5, where the customer answered"),
    _updated(),
    _one_of("category", TICKET_CATEGORIES),
    _one_of("priority", TICKET_PRIORITIES),
    _one_of("status", TICKET_STATUSES),
    CheckConstraint(
        "status = 'closed' AND closed_at IS NOT NULL OR status <> 'closed' AND closed_at IS NULL", name="closed"
    ),
    CheckConstraint("closed_at IS NULL OR closed_at >= opened_at", name="dates"),
    comment="support cases",
)

churn_events = Table(
    "churn_events",
    metadata,
    _id("churn_event_id"),
    Column("subscription_id", Logical(INT), ForeignKey("subscriptions.subscription_id"), nullable=False, unique=True),
    _required("churned_on", DATE),
    _required("reason", STRING),
    _required("score", FLOAT, comment="churn risk from behaviour when it happened, 0 to 1"),
    _optional("comment", STRING),
    _updated(),
    _one_of("reason", CHURN_REASONS),
    comment="cancelled subscriptions with their reason; a customer may come back",
)

app_installs = Table(
    "app_installs",
    metadata,
    _id("install_id"),
    _refers("customer_id", "customers.customer_id"),
    _refers("product_id", "products.product_id"),
    _refers("location_id", "locations.location_id"),
    _required("installed_at", TIMESTAMP),
    _optional("removed_at", TIMESTAMP),
    _required("device_digest", BYTES),
    _optional("settings", JSON),
    _updated(),
    comment="products deployed by customers, served from an office location",
)

web_traffic = Table(
    "web_traffic",
    metadata,
    _required("month", DATE, primary_key=True, comment="first day of the month"),
    _required("channel", STRING, primary_key=True),
    _required("visitors", INT),
    _required("leads", INT),
    _required("mqls", INT, comment="marketing-qualified leads"),
    _required("bounce_rate", FLOAT),
    _updated(),
    _one_of("channel", CHANNELS),
    CheckConstraint("visitors >= leads AND leads >= mqls", name="funnel"),
    comment="the top of the funnel by month and channel",
)

benchmarks = Table(
    "benchmarks",
    metadata,
    _required("segment", STRING, primary_key=True, comment="a segment, or all"),
    _required("metric_name", STRING, primary_key=True),
    _required("target_period", STRING, primary_key=True),
    _required("target_value", decimal(18, 4)),
    _updated(),
    _one_of("target_period", TARGET_PERIODS),
    comment="targets for the company's measures",
)

world_state = Table(
    "world_state",
    metadata,
    _required("world", STRING, primary_key=True),
    _required("seed", INT),
    _required("customers", INT, comment="customers asked for when the world was generated"),
    _required("first_day", DATE),
    _required("last_day", DATE, comment="the last day simulated so far"),
    _updated(),
    comment="how this synthetic database came about, so that simulation can go on",
)

Index("ix_support_tickets_customer_opened", support_tickets.c.customer_id, support_tickets.c.opened_at)
