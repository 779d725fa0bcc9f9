-- question: How much is the product used, by whom?
-- grain: one row a calendar month, plan and region with any use
-- columns:
--   month DATE: first day of the month
--   plan STRING: Free, Basic, Pro or Enterprise
--   region STRING: NA, EU, APAC, LATAM or unknown
--   active_customers INT64: customers who used the product in the month
--   active_days INT64: their days of use
--   sessions INT64: sessions
--   usage_minutes FLOAT64: minutes of use
--   feature_events INT64: uses of a feature
SELECT
  DATE_TRUNC(usage.usage_date, MONTH) AS month,
  people.plan,
  people.region,
  COUNT(DISTINCT usage.customer_id) AS active_customers,
  COUNT(*) AS active_days,
  SUM(usage.sessions) AS sessions,
  SUM(usage.usage_minutes) AS usage_minutes,
  SUM(usage.feature_events) AS feature_events
FROM marts.staging_usage_daily AS usage
INNER JOIN marts.staging_customers AS people ON people.customer_id = usage.customer_id
GROUP BY month, people.plan, people.region
