"""The churn world's dashboard."""

from __future__ import annotations

from datetime import date, timedelta

from etl.publish.churn import leaving, service, usage
from etl.publish.figures import NONE, Board, Headline, Reader, count, day, percent


def board(read: Reader) -> Board:
    """The board over published churn marts; raises :class:`MartError` for one that is missing."""
    as_of: date | None = read("SELECT MAX(usage_date) AS as_of FROM marts.staging_usage_daily")[0]["as_of"]
    if as_of is None:
        return Board("Churn", "The marts hold no data yet.")
    # The last month counts if the data reaches its end.
    is_whole = (as_of + timedelta(days=1)).day == 1
    last = as_of.replace(day=1) if is_whole else (as_of.replace(day=1) - timedelta(days=1)).replace(day=1)
    figures = (
        usage.customers(read, last),
        usage.days(read, last),
        leaving.by_plan(read),
        leaving.by_activity(read),
        service.billing(read, last),
        service.tickets(read, last),
        service.quality(read),
    )
    return Board("Churn", f"Data until {day(as_of)}; charts show whole months.", _headlines(read), figures)


def _headlines(read: Reader) -> list[Headline]:
    people = read("SELECT COUNT(*) AS people, COUNTIF(is_paid) AS paid FROM marts.staging_customers")[0]
    label = read(
        "SELECT MAX(cutoff_date) AS cutoff, COUNTIF(is_at_risk) AS at_risk, "
        "COUNTIF(is_at_risk AND has_churned) AS churned, COUNTIF(active_days_30 > 0) AS active, COUNT(*) AS people "
        "FROM marts.churn_features"
    )[0]
    share = label["churned"] / label["at_risk"] if label["at_risk"] else None
    cutoff = day(label["cutoff"]) if label["cutoff"] else NONE
    return [
        Headline("Customers", count(people["people"]), f"{count(people['paid'])} of them on a paid plan"),
        Headline("In use", count(label["active"]), f"customers in the 30 days before {cutoff}"),
        Headline("At risk", count(label["at_risk"]), f"who used it in the 60 days before {cutoff}"),
        Headline("Churn", percent(share, 1), f"of those at risk did not come back within 60 days after {cutoff}"),
    ]
