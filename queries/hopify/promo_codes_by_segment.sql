-- question: Are a segment's orders with a promo code larger than its orders without one?
-- grain: one row a promo code and segment that has placed orders
-- notes: The parts of promo_codes. Cancelled orders are left out. An order's value is its items' amount before
--   discounts, so that orders with and without a code compare. "Without" are the segment's orders without any
--   code that were placed while the code was valid. An order with two codes counts for both. An order whose
--   customer is not there any more is counted under unknown.
-- columns:
--   discount_id INT64: raw.discounts.discount_id
--   code STRING: the promo code
--   segment STRING: the customers' segment
--   orders INT64: orders that used it
--   customers INT64: customers who used it
--   new_customers INT64: those whose first order used it
--   order_value NUMERIC(18, 2): value of these orders before discounts
--   amount_off NUMERIC(18, 2): amount the code took off
--   revenue NUMERIC(18, 2): succeeded payments of these orders
--   orders_without INT64: orders without any code in the code's time
--   order_value_without NUMERIC(18, 2): their value
--   average_order_value FLOAT64: order_value / orders; NULL without orders
--   average_order_value_without FLOAT64: order_value_without / orders_without; NULL without any
--   uplift FLOAT64: average_order_value / average_order_value_without - 1; NULL where either is missing, or the latter 0
-- tests:
--   one_row_a_code_and_segment:
--     SELECT discount_id, segment FROM marts.promo_codes_by_segment
--     GROUP BY discount_id, segment HAVING COUNT(*) > 1
--   orders_sum_to_uses:
--     SELECT mart.orders, raw_rows.orders AS raw_orders
--     FROM (SELECT COALESCE(SUM(orders), 0) AS orders FROM marts.promo_codes_by_segment) AS mart
--     CROSS JOIN (
--       SELECT COUNT(*) AS orders
--       FROM raw.order_discounts AS used
--       INNER JOIN raw.orders AS orders ON orders.order_id = used.order_id
--       WHERE orders.status != 'cancelled'
--     ) AS raw_rows
--     WHERE mart.orders != raw_rows.orders
--   parts_within_the_whole:
--     SELECT * FROM marts.promo_codes_by_segment WHERE customers > orders OR new_customers > customers
--   no_order_is_with_and_without:
--     SELECT mart.segment, MAX(mart.orders + mart.orders_without) AS both, MAX(placed.orders) AS orders
--     FROM marts.promo_codes_by_segment AS mart
--     INNER JOIN (
--       SELECT COALESCE(customers.segment, 'unknown') AS segment, COUNT(*) AS orders
--       FROM raw.orders AS orders
--       LEFT JOIN raw.customers AS customers ON customers.customer_id = orders.customer_id
--       WHERE orders.status != 'cancelled'
--       GROUP BY segment
--     ) AS placed ON placed.segment = mart.segment
--     GROUP BY mart.segment HAVING MAX(mart.orders + mart.orders_without) > MAX(placed.orders)
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
coded AS (
  SELECT DISTINCT order_id FROM raw.order_discounts
),
placed AS (
  SELECT
    orders.order_id,
    orders.customer_id,
    COALESCE(customers.segment, 'unknown') AS segment,
    DATE(orders.ordered_at) AS ordered_on,
    COALESCE(item_values.order_value, 0) AS order_value,
    COALESCE(paid.revenue, 0) AS revenue,
    coded.order_id IS NOT NULL AS has_code,
    ROW_NUMBER() OVER (PARTITION BY orders.customer_id ORDER BY orders.ordered_at, orders.order_id) = 1 AS is_first
  FROM raw.orders AS orders
  LEFT JOIN raw.customers AS customers ON customers.customer_id = orders.customer_id
  LEFT JOIN item_values ON item_values.order_id = orders.order_id
  LEFT JOIN paid ON paid.order_id = orders.order_id
  LEFT JOIN coded ON coded.order_id = orders.order_id
  WHERE orders.status != 'cancelled'
),
used AS (
  SELECT
    uses.discount_id,
    placed.segment,
    COUNT(*) AS orders,
    COUNT(DISTINCT placed.customer_id) AS customers,
    COUNTIF(placed.is_first) AS new_customers,
    SUM(placed.order_value) AS order_value,
    SUM(uses.amount_off) AS amount_off,
    SUM(placed.revenue) AS revenue
  FROM raw.order_discounts AS uses
  INNER JOIN placed ON placed.order_id = uses.order_id
  GROUP BY uses.discount_id, placed.segment
),
days_without AS (
  SELECT ordered_on, segment, COUNT(*) AS orders, SUM(order_value) AS order_value
  FROM placed
  WHERE NOT has_code
  GROUP BY ordered_on, segment
),
without AS (
  SELECT
    discounts.discount_id,
    days_without.segment,
    SUM(days_without.orders) AS orders,
    SUM(days_without.order_value) AS order_value
  FROM raw.discounts AS discounts
  INNER JOIN days_without ON days_without.ordered_on BETWEEN discounts.valid_from AND discounts.valid_to
  GROUP BY discounts.discount_id, days_without.segment
),
averages AS (
  SELECT
    discounts.discount_id,
    discounts.code,
    segments.segment,
    CAST(used.order_value AS FLOAT64) / used.orders AS average_order_value,
    CAST(without.order_value AS FLOAT64) / without.orders AS average_order_value_without,
    COALESCE(without.orders, 0) AS orders_without,
    COALESCE(without.order_value, 0) AS order_value_without
  FROM raw.discounts AS discounts
  CROSS JOIN (SELECT DISTINCT segment FROM placed) AS segments
  LEFT JOIN used ON used.discount_id = discounts.discount_id AND used.segment = segments.segment
  LEFT JOIN without ON without.discount_id = discounts.discount_id AND without.segment = segments.segment
)
SELECT
  averages.discount_id,
  averages.code,
  averages.segment,
  COALESCE(used.orders, 0) AS orders,
  COALESCE(used.customers, 0) AS customers,
  COALESCE(used.new_customers, 0) AS new_customers,
  COALESCE(used.order_value, 0) AS order_value,
  COALESCE(used.amount_off, 0) AS amount_off,
  COALESCE(used.revenue, 0) AS revenue,
  averages.orders_without,
  averages.order_value_without,
  averages.average_order_value,
  averages.average_order_value_without,
  averages.average_order_value / NULLIF(averages.average_order_value_without, 0) - 1 AS uplift
FROM averages
LEFT JOIN used ON used.discount_id = averages.discount_id AND used.segment = averages.segment
