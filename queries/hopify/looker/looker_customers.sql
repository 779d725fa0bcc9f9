-- question: Who are the customers, and what is each worth?
-- grain: one row a customer
-- columns:
--   customer_id INT64: raw.customers.customer_id
--   company_name STRING: the customer's name
--   segment STRING: the customer's segment
--   channel STRING: channel the customer came by
--   signup_month DATE: first day of the month of signup
--   is_active BOOL: whether a subscription covers the as-of day
--   customers INT64: 1, to count rows by summing
--   active_customers INT64: 1 if subscribed, else 0
--   mrr NUMERIC(18, 2): monthly price of the present subscriptions
--   active_months INT64: month ends on which the customer was subscribed
--   orders INT64: orders that were not cancelled
--   revenue NUMERIC(18, 2): succeeded payments of all time
--   tickets INT64: support cases of all time
SELECT
  customer_id,
  company_name,
  segment,
  acquisition_source AS channel,
  signup_month,
  is_active,
  1 AS customers,
  IF(is_active, 1, 0) AS active_customers,
  mrr,
  active_months,
  orders,
  revenue,
  tickets
FROM marts.customer_value
