"""What is on offer and what is advertised, as the database has it in the morning."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, select

from generators.hopify.baskets import Shop
from generators.hopify.campaigns import LIFT, Campaigns
from generators.hopify.catalogue import NEVER, Catalogue
from generators.hopify.columns import NULL, Ints
from generators.hopify.days import day_number
from generators.hopify.discounts import Discounts
from schemas.hopify import CHANNELS, PRODUCT_CATEGORIES, campaigns, discounts, products


def shop(connection: Connection) -> Shop:
    """Products, and the codes without a limit: the others' last uses are not taken."""
    rows = _rows(connection, products)
    catalogue = Catalogue(
        ids=_numbers(row.product_id for row in rows),
        category=_numbers(PRODUCT_CATEGORIES.index(row.category) for row in rows),
        cents=_numbers(int(row.list_price.scaleb(2)) for row in rows),
        launched=_numbers(day_number(row.launched_on) for row in rows),
        retired=_numbers(NEVER if row.is_active else 0 for row in rows),
    )
    codes = [row for row in _rows(connection, discounts) if row.max_uses is None]
    offered = Discounts(
        ids=_numbers(row.discount_id for row in codes),
        percent=_numbers(int(row.percent_off.scaleb(2)) for row in codes),
        first=_numbers(day_number(row.valid_from) for row in codes),
        last=_numbers(day_number(row.valid_to) for row in codes),
        uses=np.full(len(codes), NULL),
    )
    return Shop(catalogue, offered)


def advertised(connection: Connection) -> Campaigns:
    """All campaigns."""
    rows = _rows(connection, campaigns)
    return Campaigns(
        ids=_numbers(row.campaign_id for row in rows),
        channel=_numbers(CHANNELS.index(row.channel) for row in rows),
        first=_numbers(day_number(row.starts_on) for row in rows),
        last=_numbers(day_number(row.ends_on) for row in rows),
        lift=np.array([LIFT[row.campaign_type] for row in rows], np.float64),
    )


def _rows(connection: Connection, table: Table) -> list[Any]:
    return list(connection.execute(select(table).order_by(*table.primary_key.columns)))


def _numbers(values: Any) -> Ints:
    return np.array(list(values), np.int64)
