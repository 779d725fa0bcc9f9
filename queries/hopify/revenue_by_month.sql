-- question: How much was paid in each month, by which segment, and by how many customers?
-- grain: one row a calendar month and segment that has customers
-- notes: Revenue counts in the month of the payment (paid_at), orders and discounts in the month of
--   the order (ordered_at). Averages are FLOAT64, amounts NUMERIC.
-- columns:
--   month DATE: first day of the month
--   segment STRING: the customer's segment
--   is_complete BOOL: whether the data reaches the month's end
--   orders INT64: orders placed in the month that were not cancelled
--   order_value NUMERIC(18, 2): price of their items before discounts
--   discounts NUMERIC(18, 2): amount taken off these orders by promo codes
--   revenue NUMERIC(18, 2): payments that succeeded in the month and were not refunded
--   refunds NUMERIC(18, 2): payments of the month that were given back since
--   payments INT64: attempts to pay in the month
--   failed_payments INT64: those of them that failed
--   paying_customers INT64: customers with a succeeded payment in the month
--   active_customers INT64: customers subscribed at the month's end
--   arppu FLOAT64: revenue / paying_customers; NULL where nobody paid
--   arpu FLOAT64: revenue / active_customers; NULL where nobody is active
-- tests:
--   revenue_sums_to_payments:
--     SELECT mart.revenue, raw_rows.revenue AS raw_revenue
--     FROM (SELECT COALESCE(SUM(revenue), 0) AS revenue FROM marts.revenue_by_month) AS mart
--     CROSS JOIN (SELECT COALESCE(SUM(amount), 0) AS revenue FROM raw.payments WHERE status = 'succeeded') AS raw_rows
--     WHERE mart.revenue != raw_rows.revenue
--   one_row_a_month_and_segment:
--     SELECT month, segment FROM marts.revenue_by_month GROUP BY month, segment HAVING COUNT(*) > 1
--   no_more_payers_than_customers:
--     SELECT month, segment FROM marts.revenue_by_month
--     WHERE paying_customers > (SELECT COUNT(*) FROM raw.customers) OR failed_payments > payments
--     OR paying_customers > payments
WITH grid AS (
  SELECT months.month, months.is_complete, segments.segment
  FROM marts.months AS months
  CROSS JOIN (SELECT DISTINCT segment FROM raw.customers) AS segments
),
taken_off AS (
  SELECT order_id, SUM(amount_off) AS amount_off
  FROM raw.order_discounts
  GROUP BY order_id
),
item_values AS (
  SELECT order_id, SUM(quantity * unit_price) AS order_value
  FROM raw.order_items
  GROUP BY order_id
),
ordered AS (
  SELECT
    DATE_TRUNC(DATE(orders.ordered_at), MONTH) AS month,
    customers.segment,
    COUNT(*) AS orders,
    SUM(item_values.order_value) AS order_value,
    SUM(taken_off.amount_off) AS discounts
  FROM raw.orders AS orders
  INNER JOIN raw.customers AS customers ON customers.customer_id = orders.customer_id
  LEFT JOIN item_values ON item_values.order_id = orders.order_id
  LEFT JOIN taken_off ON taken_off.order_id = orders.order_id
  WHERE orders.status != 'cancelled'
  GROUP BY month, customers.segment
),
paid AS (
  SELECT
    DATE_TRUNC(DATE(payments.paid_at), MONTH) AS month,
    customers.segment,
    SUM(IF(payments.status = 'succeeded', payments.amount, 0)) AS revenue,
    SUM(IF(payments.status = 'refunded', payments.amount, 0)) AS refunds,
    COUNT(*) AS payments,
    COUNTIF(payments.status = 'failed') AS failed_payments,
    COUNT(DISTINCT IF(payments.status = 'succeeded', orders.customer_id, NULL)) AS paying_customers
  FROM raw.payments AS payments
  INNER JOIN raw.orders AS orders ON orders.order_id = payments.order_id
  INNER JOIN raw.customers AS customers ON customers.customer_id = orders.customer_id
  GROUP BY month, customers.segment
),
active AS (
  SELECT month, segment, COUNTIF(is_active) AS active_customers
  FROM marts.customer_months
  GROUP BY month, segment
)
SELECT
  grid.month,
  grid.segment,
  grid.is_complete,
  COALESCE(ordered.orders, 0) AS orders,
  COALESCE(ordered.order_value, 0) AS order_value,
  COALESCE(ordered.discounts, 0) AS discounts,
  COALESCE(paid.revenue, 0) AS revenue,
  COALESCE(paid.refunds, 0) AS refunds,
  COALESCE(paid.payments, 0) AS payments,
  COALESCE(paid.failed_payments, 0) AS failed_payments,
  COALESCE(paid.paying_customers, 0) AS paying_customers,
  COALESCE(active.active_customers, 0) AS active_customers,
  CAST(paid.revenue AS FLOAT64) / NULLIF(paid.paying_customers, 0) AS arppu,
  CAST(COALESCE(paid.revenue, 0) AS FLOAT64) / NULLIF(active.active_customers, 0) AS arpu
FROM grid
LEFT JOIN ordered ON ordered.month = grid.month AND ordered.segment = grid.segment
LEFT JOIN paid ON paid.month = grid.month AND paid.segment = grid.segment
LEFT JOIN active ON active.month = grid.month AND active.segment = grid.segment
