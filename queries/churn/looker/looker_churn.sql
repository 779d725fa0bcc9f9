-- question: Who stopped using the product, and what was known of them before?
-- grain: one row a customer who signed up on or before the cut-off day
-- notes: Churn is a share of those at risk: who was not active before the cut-off has already left.
-- columns:
--   customer_id INT64: marts.staging_customers.customer_id
--   plan STRING: Free, Basic, Pro or Enterprise
--   region STRING: NA, EU, APAC, LATAM or unknown
--   signup_month DATE: first day of the month of signup
--   customers INT64: 1, to count rows by summing
--   at_risk_customers INT64: 1 if the product was used in the 60 days before the cut-off, else 0
--   churned_customers INT64: 1 if at risk and then without any use for 60 days, else 0
--   active_days_30 INT64: days of use in the last 30 days before the cut-off
--   sessions_30 INT64: sessions in these days
--   usage_minutes_30 FLOAT64: minutes of use in these days
--   amount_billed NUMERIC(18, 2): sum of the bills until the cut-off, US dollars
--   failed_bills_90 INT64: bills of the last 90 days whose payment failed
--   tickets_90 INT64: support tickets of the last 90 days
SELECT
  features.customer_id,
  features.plan,
  features.region,
  people.signup_month,
  1 AS customers,
  IF(features.is_at_risk, 1, 0) AS at_risk_customers,
  IF(features.is_at_risk AND features.has_churned, 1, 0) AS churned_customers,
  features.active_days_30,
  features.sessions_30,
  features.usage_minutes_30,
  features.amount_billed,
  features.failed_bills_90,
  features.tickets_90
FROM marts.churn_features AS features
INNER JOIN marts.staging_customers AS people ON people.customer_id = features.customer_id
