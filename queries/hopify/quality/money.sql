-- question: Which amounts cannot be right?
-- grain: one row a row that breaks a rule
-- columns:
--   rule STRING: the rule that is broken
--   row_key STRING: the key of the row that breaks it
SELECT 'item without a price or quantity' AS rule, CAST(order_item_id AS STRING) AS row_key
FROM raw.order_items
WHERE CAST(unit_price AS FLOAT64) <= 0 OR quantity <= 0
UNION ALL
SELECT 'order paid more than once' AS rule, CAST(order_id AS STRING) AS row_key
FROM raw.payments
WHERE status <> 'failed'
GROUP BY order_id
HAVING COUNT(*) > 1
UNION ALL
SELECT 'completed order without its payment' AS rule, CAST(orders.order_id AS STRING) AS row_key
FROM raw.orders AS orders
WHERE orders.status = 'completed' AND NOT EXISTS (
  SELECT 1 FROM raw.payments AS payments WHERE payments.order_id = orders.order_id AND payments.status = 'succeeded'
)
UNION ALL
SELECT 'payment other than its order comes to' AS rule, CAST(payments.payment_id AS STRING) AS row_key
FROM raw.payments AS payments
INNER JOIN (
  SELECT order_id, SUM(quantity * CAST(unit_price AS FLOAT64)) AS amount
  FROM raw.order_items
  GROUP BY order_id
) AS items ON items.order_id = payments.order_id
LEFT JOIN (
  SELECT order_id, SUM(CAST(amount_off AS FLOAT64)) AS amount
  FROM raw.order_discounts
  GROUP BY order_id
) AS discounts ON discounts.order_id = payments.order_id
WHERE ABS(CAST(payments.amount AS FLOAT64) - (items.amount - COALESCE(discounts.amount, 0))) > 0.005
UNION ALL
SELECT 'discount of more than everything' AS rule, CAST(discount_id AS STRING) AS row_key
FROM raw.discounts
WHERE CAST(percent_off AS FLOAT64) <= 0 OR CAST(percent_off AS FLOAT64) > 100
