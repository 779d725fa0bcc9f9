-- question: Who are the customers, what is each worth, and how well is it doing?
-- grain: one row a customer
-- notes: CAC is an assumption, which marts.assumptions states.
-- columns:
--   customer_id STRING: raw.day06_customers.customer_id
--   plan_tier STRING: the present tier, or the last one
--   status STRING: active, churned, or none for a customer who never subscribed
--   health STRING: healthy, stable, at risk, churned or none
--   signup_month DATE: first day of the month of signup
--   customers INT64: 1, to count rows by summing
--   active_customers INT64: 1 if active, else 0
--   churned_customers INT64: 1 if churned, else 0
--   mrr NUMERIC(18, 2): present monthly price; 0 for who has left
--   revenue NUMERIC(18, 2): monthly prices over the days covered so far
--   ltv NUMERIC(18, 2): revenue, and for who is active the expected rest
--   cac NUMERIC(18, 2): assumed cost of winning the customer
--   tenure_months FLOAT64: months from signup to the last day covered, or the as-of day
--   score FLOAT64: 0 to 100
SELECT
  customer_id,
  plan_tier,
  status,
  health,
  DATE_TRUNC(signup_date, MONTH) AS signup_month,
  1 AS customers,
  IF(status = 'active', 1, 0) AS active_customers,
  IF(status = 'churned', 1, 0) AS churned_customers,
  mrr,
  CAST(ROUND(revenue, 2) AS NUMERIC) AS revenue,
  CAST(ROUND(ltv, 2) AS NUMERIC) AS ltv,
  CAST(ROUND(cac, 2) AS NUMERIC) AS cac,
  tenure_months,
  score
FROM marts.day06_customer_health
