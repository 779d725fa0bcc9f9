-- question: What do customers order, by category and by one-time or subscription products?
-- grain: one row a calendar month, segment, product category and revenue type that was ordered
-- notes: Counted in the month of the order (ordered_at), cancelled orders left out, before discounts. An item
--   whose product is not there any more is counted under unknown.
-- columns:
--   month DATE: first day of the month
--   segment STRING: the customer's segment
--   category STRING: the products' category
--   revenue_type STRING: one_time or subscription
--   orders INT64: orders with such a product
--   quantity INT64: pieces ordered
--   amount NUMERIC(18, 2): their price before discounts
--   share FLOAT64: amount / amount of the month and segment, 0 to 1; NULL where that is 0
-- partition: month
-- incremental: items
-- tests:
--   one_row_a_month_segment_and_kind:
--     SELECT month, segment, category, revenue_type FROM marts.product_mix GROUP BY month, segment, category, revenue_type HAVING COUNT(*) > 1
--   amounts_sum_to_items:
--     SELECT mart.amount, raw_rows.amount AS raw_amount
--     FROM (SELECT COALESCE(SUM(amount), 0) AS amount FROM marts.product_mix) AS mart
--     CROSS JOIN (
--       SELECT COALESCE(SUM(items.quantity * items.unit_price), 0) AS amount
--       FROM raw.order_items AS items
--       INNER JOIN raw.orders AS orders ON orders.order_id = items.order_id
--       WHERE orders.status != 'cancelled'
--     ) AS raw_rows
--     WHERE mart.amount != raw_rows.amount
--   shares_sum_to_1:
--     SELECT month, segment FROM marts.product_mix GROUP BY month, segment
--     HAVING ABS(SUM(share) - 1) > 0.000001 OR MIN(share) < 0
WITH items AS (
  SELECT
    DATE_TRUNC(DATE(orders.ordered_at), MONTH) AS month,
    COALESCE(customers.segment, 'unknown') AS segment,
    COALESCE(products.category, 'unknown') AS category,
    COALESCE(products.revenue_type, 'unknown') AS revenue_type,
    items.order_id,
    items.quantity,
    items.quantity * items.unit_price AS amount
  FROM raw.order_items AS items
  INNER JOIN raw.orders AS orders ON orders.order_id = items.order_id
  LEFT JOIN raw.customers AS customers ON customers.customer_id = orders.customer_id
  LEFT JOIN raw.products AS products ON products.product_id = items.product_id
  WHERE orders.status != 'cancelled'
),
sums AS (
  SELECT
    month,
    segment,
    category,
    revenue_type,
    COUNT(DISTINCT order_id) AS orders,
    SUM(quantity) AS quantity,
    SUM(amount) AS amount
  FROM items
  GROUP BY month, segment, category, revenue_type
)
SELECT
  month,
  segment,
  category,
  revenue_type,
  orders,
  quantity,
  amount,
  CAST(amount AS FLOAT64)
    / NULLIF(CAST(SUM(amount) OVER (PARTITION BY month, segment) AS FLOAT64), 0) AS share
FROM sums
