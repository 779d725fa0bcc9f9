-- question: What do promo codes cost, and are the orders that use them larger than those that do not?
-- grain: one row a promo code
-- notes: Cancelled orders are left out. An order's value is its items' amount before discounts, so that
--   orders with and without a code compare. "Without" are the orders without any code that were placed
--   while the code was valid. An order with two codes counts for both.
-- columns:
--   code STRING: the promo code
--   percent_off NUMERIC(5, 2): discount in percent
--   valid_from DATE: first day on which it could be used
--   valid_to DATE: last day on which it could be used
--   orders INT64: orders that used it
--   customers INT64: customers who used it
--   new_customers INT64: those whose first order used it
--   order_value NUMERIC(18, 2): value of these orders before discounts
--   amount_off NUMERIC(18, 2): amount the code took off
--   revenue NUMERIC(18, 2): succeeded payments of these orders
--   average_order_value FLOAT64: order_value / orders; NULL without orders
--   average_order_value_without FLOAT64: the same of orders without a code in the code's time; NULL without any
--   uplift FLOAT64: average_order_value / average_order_value_without - 1; NULL where either is missing
-- tests:
--   one_row_a_code:
--     SELECT code FROM marts.promo_codes GROUP BY code HAVING COUNT(*) > 1
--   amounts_sum_to_order_discounts:
--     SELECT mart.amount_off, raw_rows.amount_off AS raw_amount_off
--     FROM (SELECT COALESCE(SUM(amount_off), 0) AS amount_off FROM marts.promo_codes) AS mart
--     CROSS JOIN (
--       SELECT COALESCE(SUM(used.amount_off), 0) AS amount_off
--       FROM raw.order_discounts AS used
--       INNER JOIN raw.orders AS orders ON orders.order_id = used.order_id
--       WHERE orders.status != 'cancelled'
--     ) AS raw_rows
--     WHERE mart.amount_off != raw_rows.amount_off
--   parts_within_the_whole:
--     SELECT * FROM marts.promo_codes WHERE customers > orders OR new_customers > customers
WITH item_values AS (
  SELECT order_id, SUM(quantity * unit_price) AS order_value
  FROM raw.order_items
  GROUP BY order_id
),
paid AS (
  SELECT order_id, SUM(amount) AS revenue
  FROM raw.payments
  WHERE status = 'succeeded'
  GROUP BY order_id
),
with_code AS (
  SELECT DISTINCT order_id FROM raw.order_discounts
),
all_orders AS (
  SELECT
    orders.order_id,
    orders.customer_id,
    DATE(orders.ordered_at) AS ordered_on,
    COALESCE(item_values.order_value, 0) AS order_value,
    COALESCE(paid.revenue, 0) AS revenue,
    with_code.order_id IS NOT NULL AS has_code,
    ROW_NUMBER() OVER (PARTITION BY orders.customer_id ORDER BY orders.ordered_at, orders.order_id) = 1 AS is_first
  FROM raw.orders AS orders
  LEFT JOIN item_values ON item_values.order_id = orders.order_id
  LEFT JOIN paid ON paid.order_id = orders.order_id
  LEFT JOIN with_code ON with_code.order_id = orders.order_id
  WHERE orders.status != 'cancelled'
),
used AS (
  SELECT
    uses.discount_id,
    COUNT(*) AS orders,
    COUNT(DISTINCT all_orders.customer_id) AS customers,
    COUNT(DISTINCT IF(all_orders.is_first, all_orders.customer_id, NULL)) AS new_customers,
    SUM(all_orders.order_value) AS order_value,
    SUM(uses.amount_off) AS amount_off,
    SUM(all_orders.revenue) AS revenue
  FROM raw.order_discounts AS uses
  INNER JOIN all_orders ON all_orders.order_id = uses.order_id
  GROUP BY uses.discount_id
),
days_without AS (
  SELECT ordered_on, COUNT(*) AS orders, SUM(order_value) AS order_value
  FROM all_orders
  WHERE NOT has_code
  GROUP BY ordered_on
),
without AS (
  SELECT discounts.discount_id, SUM(days_without.orders) AS orders, SUM(days_without.order_value) AS order_value
  FROM raw.discounts AS discounts
  INNER JOIN days_without ON days_without.ordered_on BETWEEN discounts.valid_from AND discounts.valid_to
  GROUP BY discounts.discount_id
),
averages AS (
  SELECT
    discounts.discount_id,
    CAST(used.order_value AS FLOAT64) / NULLIF(used.orders, 0) AS average_order_value,
    CAST(without.order_value AS FLOAT64) / NULLIF(without.orders, 0) AS average_order_value_without
  FROM raw.discounts AS discounts
  LEFT JOIN used ON used.discount_id = discounts.discount_id
  LEFT JOIN without ON without.discount_id = discounts.discount_id
)
SELECT
  discounts.code,
  discounts.percent_off,
  discounts.valid_from,
  discounts.valid_to,
  COALESCE(used.orders, 0) AS orders,
  COALESCE(used.customers, 0) AS customers,
  COALESCE(used.new_customers, 0) AS new_customers,
  COALESCE(used.order_value, 0) AS order_value,
  COALESCE(used.amount_off, 0) AS amount_off,
  COALESCE(used.revenue, 0) AS revenue,
  averages.average_order_value,
  averages.average_order_value_without,
  averages.average_order_value / NULLIF(averages.average_order_value_without, 0) - 1 AS uplift
FROM raw.discounts AS discounts
INNER JOIN averages ON averages.discount_id = discounts.discount_id
LEFT JOIN used ON used.discount_id = discounts.discount_id
