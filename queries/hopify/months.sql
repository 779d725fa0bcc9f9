-- question: Which months does the data cover, and until which day?
-- grain: one row a calendar month, without gaps, from the first signup, order or visit on
-- notes: "As of" is the latest day on which anything happened in the data itself, not today's date,
--   so that the same data always gives the same marts.
-- columns:
--   month DATE: first day of the month
--   observed_on DATE: the day a month's state is read on: its last day, or the as-of day in the last month
--   is_complete BOOL: whether the data reaches the month's last day
--   as_of DATE: latest day on which a customer, subscription, order, payment, ticket or churn is recorded
-- tests:
--   no_gap:
--     SELECT month FROM marts.months WHERE TRUE
--     QUALIFY DATE_DIFF(month, LAG(month) OVER (ORDER BY month), MONTH) != 1
--   observed_within_month:
--     SELECT month FROM marts.months
--     WHERE DATE_TRUNC(observed_on, MONTH) != month OR observed_on > as_of
WITH days AS (
  SELECT MIN(signed_up_on) AS first_day, MAX(signed_up_on) AS last_day FROM raw.customers
  UNION ALL
  SELECT MIN(started_on), MAX(started_on) FROM raw.subscriptions
  UNION ALL
  SELECT MIN(DATE(ordered_at)), MAX(DATE(ordered_at)) FROM raw.orders
  UNION ALL
  SELECT MIN(DATE(paid_at)), MAX(DATE(paid_at)) FROM raw.payments
  UNION ALL
  SELECT MIN(DATE(opened_at)), MAX(DATE(opened_at)) FROM raw.support_tickets
  UNION ALL
  SELECT MIN(churned_on), MAX(churned_on) FROM raw.churn_events
  UNION ALL
  SELECT MIN(month), MAX(month) FROM raw.web_traffic
),
bounds AS (
  SELECT MIN(first_day) AS first_day, MAX(last_day) AS as_of FROM days
)
SELECT
  month,
  LEAST(LAST_DAY(month, MONTH), as_of) AS observed_on,
  LAST_DAY(month, MONTH) <= as_of AS is_complete,
  as_of
FROM bounds
CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(DATE_TRUNC(first_day, MONTH), as_of, INTERVAL 1 MONTH)) AS month
