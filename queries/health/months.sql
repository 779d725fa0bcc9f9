-- question: Which months does the data cover?
-- grain: one row a calendar month, without gaps, from the first signup on
-- notes: The world describes whole months: its movements are sums over them. So the last month, too, is
--   taken to be over, and "as of" is that month's last day, not today's date.
-- columns:
--   month DATE: first day of the month
--   last_day DATE: last day of the month
--   as_of DATE: last day of the last month
-- tests:
--   no_gap:
--     SELECT month FROM marts.months WHERE TRUE
--     QUALIFY DATE_DIFF(month, LAG(month) OVER (ORDER BY month), MONTH) != 1
--   as_of_ends_the_last_month:
--     SELECT MAX(last_day) AS ends_on, MAX(as_of) AS known_until FROM marts.months HAVING MAX(last_day) != MAX(as_of)
WITH days AS (
  SELECT MIN(signup_date) AS first_day, MAX(signup_date) AS last_day FROM raw.day06_customers
  UNION ALL
  SELECT MIN(start_date), MAX(GREATEST(start_date, COALESCE(end_date, start_date))) FROM raw.day06_subscriptions
  UNION ALL
  SELECT MIN(month), MAX(month) FROM raw.day06_mrr_movements
),
bounds AS (
  SELECT MIN(first_day) AS first_day, MAX(last_day) AS last_day FROM days
)
SELECT
  month,
  LAST_DAY(month, MONTH) AS last_day,
  LAST_DAY(last_day, MONTH) AS as_of
FROM bounds
CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(DATE_TRUNC(first_day, MONTH), last_day, INTERVAL 1 MONTH)) AS month
