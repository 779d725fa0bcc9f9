-- question: What was known of each customer on past days, and what is known today?
-- grain: one row a customer and cut-off day on or after the day of signup
-- notes: Cut-offs lie three months apart, back from the as-of day for up to five years, and begin three
--   months after the first month. A row holds what had been recorded by the end of its cut-off day;
--   nothing later enters it. Therefore an order counts from the day it was entered (created_at), a
--   resolution once the case is closed, an installation until it is removed. Money that was paid and
--   given back counts as paid, because a refund may be later than the cut-off. Segment and channel are
--   taken as they are now, since they do not change; consent to marketing does, the source keeps no
--   history of it, and who leaves may take it back: it is left out. "90" is the 90 days that end with
--   the cut-off, "previous 90" the 90 days before those. The one place of what the models know of a
--   customer: the examples put what came of it beside these columns.
-- columns:
--   customer_id INT64: raw.customers.customer_id
--   cutoff_date DATE: the last day the row knows of
--   months_back INT64: months from the cut-off to the as-of day: 0, 3, 6 and so on
--   segment STRING: the customer's segment
--   acquisition_source STRING: channel the customer came by
--   tenure_days INT64: days from signup to the cut-off
--   is_subscribed BOOL: whether a subscription covers the cut-off day
--   plan_tier INT64: tier of the plan, 1 is the lowest; 0 without a subscription
--   mrr FLOAT64: monthly price of the subscriptions covering the cut-off day; 0 without any
--   price_share FLOAT64: mrr / the plans' list price, below 1 after negotiation; NULL without a subscription
--   days_on_plan INT64: days since the present subscription began; NULL without one
--   upgrades INT64: subscriptions begun by an upgrade
--   downgrades INT64: subscriptions begun by a downgrade
--   returns INT64: subscriptions begun by coming back
--   orders INT64: orders, cancelled ones included, as they may have been cancelled later
--   orders_90 INT64: those of the last 90 days
--   orders_previous_90 INT64: those of the previous 90 days
--   days_since_order INT64: days since the latest; NULL without an order
--   coded_share FLOAT64: share of the orders that used a promo code, 0 to 1; NULL without an order
--   paid FLOAT64: amount paid so far
--   paid_90 FLOAT64: amount paid in the last 90 days
--   paid_previous_90 FLOAT64: amount paid in the previous 90 days
--   failed_payments_90 INT64: attempts to pay that failed in the last 90 days
--   tickets INT64: support cases opened
--   tickets_90 INT64: those opened in the last 90 days
--   open_tickets INT64: cases open at the end of the cut-off day
--   resolution_hours_90 FLOAT64: mean hours to resolution of cases closed in the last 90 days; NULL without any
--   satisfaction_90 FLOAT64: mean answer about these, 1 to 5; NULL without any
--   installs INT64: installations in use
-- tests:
--   one_row_a_customer_and_cutoff:
--     SELECT customer_id, cutoff_date FROM marts.customer_snapshots
--     GROUP BY customer_id, cutoff_date HAVING COUNT(*) > 1
--   nothing_after_the_cutoff:
--     SELECT * FROM marts.customer_snapshots
--     WHERE tenure_days < 0 OR days_on_plan < 0 OR days_since_order < 0
--   parts_within_the_whole:
--     SELECT * FROM marts.customer_snapshots
--     WHERE orders_90 + orders_previous_90 > orders OR paid_90 + paid_previous_90 > paid + 0.005
--     OR tickets_90 > tickets OR open_tickets > tickets OR coded_share NOT BETWEEN 0 AND 1
--     OR satisfaction_90 NOT BETWEEN 1 AND 5 OR resolution_hours_90 < 0 OR (NOT is_subscribed AND mrr != 0)
--   everyone_is_there_today:
--     SELECT customers.customer_id FROM raw.customers AS customers
--     LEFT JOIN marts.customer_snapshots AS snapshots
--     ON snapshots.customer_id = customers.customer_id AND snapshots.months_back = 0
--     WHERE snapshots.customer_id IS NULL
--     AND EXISTS (SELECT 1 FROM marts.customer_snapshots WHERE months_back = 0)
WITH bounds AS (
  SELECT MAX(as_of) AS as_of, DATE_ADD(MIN(month), INTERVAL 3 MONTH) AS earliest FROM marts.months
),
cutoffs AS (
  SELECT DATE_SUB(bounds.as_of, INTERVAL months_back MONTH) AS cutoff_date, months_back
  FROM bounds
  CROSS JOIN UNNEST(GENERATE_ARRAY(0, 60, 3)) AS months_back
  WHERE DATE_SUB(bounds.as_of, INTERVAL months_back MONTH) >= bounds.earliest
),
people AS (
  SELECT
    customers.customer_id,
    customers.segment,
    customers.acquisition_source,
    cutoffs.cutoff_date,
    cutoffs.months_back,
    DATE_DIFF(cutoffs.cutoff_date, customers.signed_up_on, DAY) AS tenure_days
  FROM raw.customers AS customers
  INNER JOIN cutoffs ON customers.signed_up_on <= cutoffs.cutoff_date
),
begun AS (
  SELECT
    subscriptions.customer_id,
    subscriptions.start_reason,
    subscriptions.started_on,
    subscriptions.monthly_price,
    plans.tier,
    plans.monthly_price AS list_price,
    cutoffs.cutoff_date,
    subscriptions.ended_on IS NULL OR subscriptions.ended_on > cutoffs.cutoff_date AS is_current
  FROM raw.subscriptions AS subscriptions
  LEFT JOIN raw.plans AS plans ON plans.plan_id = subscriptions.plan_id
  INNER JOIN cutoffs ON subscriptions.started_on <= cutoffs.cutoff_date
),
subscribed AS (
  SELECT
    customer_id,
    cutoff_date,
    LOGICAL_OR(is_current) AS is_subscribed,
    MAX(IF(is_current, tier, NULL)) AS plan_tier,
    SUM(IF(is_current, monthly_price, 0)) AS mrr,
    SUM(IF(is_current, list_price, 0)) AS list_price,
    MAX(IF(is_current, started_on, NULL)) AS started_on,
    COUNTIF(start_reason = 'upgrade') AS upgrades,
    COUNTIF(start_reason = 'downgrade') AS downgrades,
    COUNTIF(start_reason = 'reactivation') AS returns
  FROM begun
  GROUP BY customer_id, cutoff_date
),
coded AS (
  SELECT DISTINCT order_id FROM raw.order_discounts
),
ordered AS (
  SELECT
    placed.customer_id,
    cutoffs.cutoff_date,
    COUNT(*) AS orders,
    COUNTIF(DATE(placed.ordered_at) > DATE_SUB(cutoffs.cutoff_date, INTERVAL 90 DAY)) AS orders_90,
    COUNTIF(
      DATE(placed.ordered_at) > DATE_SUB(cutoffs.cutoff_date, INTERVAL 180 DAY)
      AND DATE(placed.ordered_at) <= DATE_SUB(cutoffs.cutoff_date, INTERVAL 90 DAY)
    ) AS orders_previous_90,
    COUNT(coded.order_id) AS coded_orders,
    MAX(DATE(placed.ordered_at)) AS last_order
  FROM raw.orders AS placed
  LEFT JOIN coded ON coded.order_id = placed.order_id
  INNER JOIN cutoffs
    ON DATE(placed.ordered_at) <= cutoffs.cutoff_date AND DATE(placed.created_at) <= cutoffs.cutoff_date
  GROUP BY placed.customer_id, cutoffs.cutoff_date
),
paid AS (
  SELECT
    orders.customer_id,
    cutoffs.cutoff_date,
    SUM(IF(payments.status != 'failed', payments.amount, 0)) AS paid,
    SUM(
      IF(
        payments.status != 'failed' AND DATE(payments.paid_at) > DATE_SUB(cutoffs.cutoff_date, INTERVAL 90 DAY),
        payments.amount, 0
      )
    ) AS paid_90,
    SUM(
      IF(
        payments.status != 'failed'
        AND DATE(payments.paid_at) > DATE_SUB(cutoffs.cutoff_date, INTERVAL 180 DAY)
        AND DATE(payments.paid_at) <= DATE_SUB(cutoffs.cutoff_date, INTERVAL 90 DAY),
        payments.amount, 0
      )
    ) AS paid_previous_90,
    COUNTIF(
      payments.status = 'failed' AND DATE(payments.paid_at) > DATE_SUB(cutoffs.cutoff_date, INTERVAL 90 DAY)
    ) AS failed_payments_90
  FROM raw.payments AS payments
  INNER JOIN raw.orders AS orders ON orders.order_id = payments.order_id
  INNER JOIN cutoffs
    ON DATE(payments.paid_at) <= cutoffs.cutoff_date AND DATE(orders.created_at) <= cutoffs.cutoff_date
  GROUP BY orders.customer_id, cutoffs.cutoff_date
),
cases AS (
  SELECT
    tickets.customer_id,
    cutoffs.cutoff_date,
    DATE(tickets.opened_at) > DATE_SUB(cutoffs.cutoff_date, INTERVAL 90 DAY) AS is_recent,
    COALESCE(DATE(tickets.closed_at) <= cutoffs.cutoff_date, FALSE) AS is_closed,
    COALESCE(
      DATE(tickets.closed_at) > DATE_SUB(cutoffs.cutoff_date, INTERVAL 90 DAY)
      AND DATE(tickets.closed_at) <= cutoffs.cutoff_date,
      FALSE
    ) AS is_recently_closed,
    DATETIME_DIFF(tickets.closed_at, tickets.opened_at, SECOND) AS seconds,
    tickets.satisfaction
  FROM raw.support_tickets AS tickets
  INNER JOIN cutoffs ON DATE(tickets.opened_at) <= cutoffs.cutoff_date
),
supported AS (
  SELECT
    customer_id,
    cutoff_date,
    COUNT(*) AS tickets,
    COUNTIF(is_recent) AS tickets_90,
    COUNTIF(NOT is_closed) AS open_tickets,
    AVG(IF(is_recently_closed, seconds, NULL)) / 3600 AS resolution_hours_90,
    AVG(IF(is_recently_closed, satisfaction, NULL)) AS satisfaction_90
  FROM cases
  GROUP BY customer_id, cutoff_date
),
installed AS (
  SELECT deployed.customer_id, cutoffs.cutoff_date, COUNT(*) AS installs
  FROM raw.app_installs AS deployed
  INNER JOIN cutoffs
    ON DATE(deployed.installed_at) <= cutoffs.cutoff_date
    AND (deployed.removed_at IS NULL OR DATE(deployed.removed_at) > cutoffs.cutoff_date)
  GROUP BY deployed.customer_id, cutoffs.cutoff_date
)
SELECT
  people.customer_id,
  people.cutoff_date,
  people.months_back,
  people.segment,
  people.acquisition_source,
  people.tenure_days,
  COALESCE(subscribed.is_subscribed, FALSE) AS is_subscribed,
  COALESCE(subscribed.plan_tier, 0) AS plan_tier,
  CAST(COALESCE(subscribed.mrr, 0) AS FLOAT64) AS mrr,
  CAST(subscribed.mrr AS FLOAT64) / NULLIF(CAST(subscribed.list_price AS FLOAT64), 0) AS price_share,
  DATE_DIFF(people.cutoff_date, subscribed.started_on, DAY) AS days_on_plan,
  COALESCE(subscribed.upgrades, 0) AS upgrades,
  COALESCE(subscribed.downgrades, 0) AS downgrades,
  COALESCE(subscribed.returns, 0) AS returns,
  COALESCE(ordered.orders, 0) AS orders,
  COALESCE(ordered.orders_90, 0) AS orders_90,
  COALESCE(ordered.orders_previous_90, 0) AS orders_previous_90,
  DATE_DIFF(people.cutoff_date, ordered.last_order, DAY) AS days_since_order,
  ordered.coded_orders / NULLIF(ordered.orders, 0) AS coded_share,
  CAST(COALESCE(paid.paid, 0) AS FLOAT64) AS paid,
  CAST(COALESCE(paid.paid_90, 0) AS FLOAT64) AS paid_90,
  CAST(COALESCE(paid.paid_previous_90, 0) AS FLOAT64) AS paid_previous_90,
  COALESCE(paid.failed_payments_90, 0) AS failed_payments_90,
  COALESCE(supported.tickets, 0) AS tickets,
  COALESCE(supported.tickets_90, 0) AS tickets_90,
  COALESCE(supported.open_tickets, 0) AS open_tickets,
  supported.resolution_hours_90,
  supported.satisfaction_90,
  COALESCE(installed.installs, 0) AS installs
FROM people
LEFT JOIN subscribed
  ON subscribed.customer_id = people.customer_id AND subscribed.cutoff_date = people.cutoff_date
LEFT JOIN ordered
  ON ordered.customer_id = people.customer_id AND ordered.cutoff_date = people.cutoff_date
LEFT JOIN paid
  ON paid.customer_id = people.customer_id AND paid.cutoff_date = people.cutoff_date
LEFT JOIN supported
  ON supported.customer_id = people.customer_id AND supported.cutoff_date = people.cutoff_date
LEFT JOIN installed
  ON installed.customer_id = people.customer_id AND installed.cutoff_date = people.cutoff_date
