-- question: What is each customer worth, so far and each month?
-- grain: one row a customer
-- columns:
--   customer_id INT64: raw.customers.customer_id
--   company_name STRING: the customer's name
--   segment STRING: the customer's segment
--   acquisition_source STRING: channel the customer came by
--   signup_month DATE: first day of the month of signup
--   is_active BOOL: whether a subscription covers the as-of day
--   mrr NUMERIC(18, 2): monthly price of the subscriptions covering the as-of day; 0 without any
--   active_months INT64: month ends on which the customer was subscribed
--   orders INT64: orders that were not cancelled
--   revenue NUMERIC(18, 2): succeeded payments of all time
--   tickets INT64: support cases of all time
-- tests:
--   one_row_a_customer:
--     SELECT customer_id FROM marts.customer_value GROUP BY customer_id HAVING COUNT(*) > 1
--   revenue_sums_to_payments:
--     SELECT value.revenue, raw_rows.revenue AS raw_revenue
--     FROM (SELECT COALESCE(SUM(revenue), 0) AS revenue FROM marts.customer_value) AS value
--     CROSS JOIN (
--       SELECT COALESCE(SUM(payments.amount), 0) AS revenue
--       FROM raw.payments AS payments
--       INNER JOIN raw.orders AS orders ON orders.order_id = payments.order_id
--       INNER JOIN raw.customers AS customers ON customers.customer_id = orders.customer_id
--       WHERE payments.status = 'succeeded'
--     ) AS raw_rows
--     WHERE value.revenue != raw_rows.revenue
--   customers_and_mrr_agree_with_growth:
--     SELECT value.customers, value.mrr, growth.active_customers, growth.mrr AS growth_mrr
--     FROM (SELECT COUNTIF(is_active) AS customers, SUM(mrr) AS mrr FROM marts.customer_value) AS value
--     CROSS JOIN marts.customer_growth AS growth
--     WHERE growth.month = (SELECT MAX(month) FROM marts.customer_growth)
--     AND (value.customers != growth.active_customers OR value.mrr != growth.mrr)
WITH latest AS (
  SELECT customer_id, is_active, mrr
  FROM marts.customer_months
  WHERE month = (SELECT MAX(month) FROM marts.months)
),
lifetimes AS (
  SELECT customer_id, COUNTIF(is_active) AS active_months
  FROM marts.customer_months
  GROUP BY customer_id
),
paid AS (
  SELECT order_id, SUM(amount) AS revenue
  FROM raw.payments
  WHERE status = 'succeeded'
  GROUP BY order_id
),
ordered AS (
  SELECT orders.customer_id, COUNTIF(orders.status != 'cancelled') AS placed, SUM(paid.revenue) AS revenue
  FROM raw.orders AS orders
  LEFT JOIN paid ON paid.order_id = orders.order_id
  GROUP BY orders.customer_id
),
supported AS (
  SELECT customer_id, COUNT(*) AS tickets
  FROM raw.support_tickets
  GROUP BY customer_id
)
SELECT
  customers.customer_id,
  customers.company_name,
  customers.segment,
  customers.acquisition_source,
  DATE_TRUNC(customers.signed_up_on, MONTH) AS signup_month,
  COALESCE(latest.is_active, FALSE) AS is_active,
  COALESCE(latest.mrr, 0) AS mrr,
  COALESCE(lifetimes.active_months, 0) AS active_months,
  COALESCE(ordered.placed, 0) AS orders,
  COALESCE(ordered.revenue, 0) AS revenue,
  COALESCE(supported.tickets, 0) AS tickets
FROM raw.customers AS customers
LEFT JOIN latest ON latest.customer_id = customers.customer_id
LEFT JOIN lifetimes ON lifetimes.customer_id = customers.customer_id
LEFT JOIN ordered ON ordered.customer_id = customers.customer_id
LEFT JOIN supported ON supported.customer_id = customers.customer_id
