-- question: During which times is there no log of a customer's use?
-- grain: one row a customer and run of seven or more days without a log
-- notes: A day without a log may be one without use, or one whose log was lost: 12 to 18 % of the logs are. That seven
--   in a row of a customer who uses the product daily are lost is less likely than once in 100,000 (0.18 to the
--   seventh), so that a gap this long is time without use; shorter ones say nothing. Days before the signup
--   and after the last day of any usage are no gap.
-- columns:
--   customer_id INT64: marts.staging_customers.customer_id
--   first_day DATE: first day without a log
--   last_day DATE: last day without a log
--   days INT64: days from the first to the last, at least 7
--   kind STRING: before first use, between uses, since last use, or never used
-- tests:
--   one_row_a_customer_and_day:
--     SELECT customer_id, first_day FROM marts.staging_gaps GROUP BY customer_id, first_day HAVING COUNT(*) > 1
--   no_use_within_a_gap:
--     SELECT gaps.customer_id, usage.usage_date FROM marts.staging_gaps AS gaps
--     INNER JOIN marts.staging_usage_daily AS usage
--     ON usage.customer_id = gaps.customer_id AND usage.usage_date BETWEEN gaps.first_day AND gaps.last_day
--   days_are_counted:
--     SELECT * FROM marts.staging_gaps WHERE days < 7 OR days != DATE_DIFF(last_day, first_day, DAY) + 1
--   one_gap_at_most_at_either_end:
--     SELECT customer_id FROM marts.staging_gaps GROUP BY customer_id
--     HAVING COUNTIF(kind IN ('before first use', 'never used')) > 1 OR COUNTIF(kind IN ('since last use', 'never used')) > 1
WITH days AS (
  SELECT
    usage.customer_id,
    usage.usage_date,
    LAG(usage.usage_date) OVER (PARTITION BY usage.customer_id ORDER BY usage.usage_date) AS previous_date
  FROM marts.staging_usage_daily AS usage
),
last_days AS (
  SELECT customer_id, MAX(usage_date) AS last_use
  FROM marts.staging_usage_daily
  GROUP BY customer_id
),
gaps AS (
  SELECT
    days.customer_id,
    COALESCE(DATE_ADD(days.previous_date, INTERVAL 1 DAY), customers.signup_date) AS first_day,
    DATE_SUB(days.usage_date, INTERVAL 1 DAY) AS last_day,
    IF(days.previous_date IS NULL, 'before first use', 'between uses') AS kind
  FROM days
  INNER JOIN marts.staging_customers AS customers ON customers.customer_id = days.customer_id
  UNION ALL
  SELECT
    customers.customer_id,
    COALESCE(DATE_ADD(last_days.last_use, INTERVAL 1 DAY), customers.signup_date) AS first_day,
    data.as_of AS last_day,
    IF(last_days.last_use IS NULL, 'never used', 'since last use') AS kind
  FROM marts.staging_customers AS customers
  CROSS JOIN (SELECT MAX(usage_date) AS as_of FROM marts.staging_usage_daily) AS data
  LEFT JOIN last_days ON last_days.customer_id = customers.customer_id
)
SELECT customer_id, first_day, last_day, DATE_DIFF(last_day, first_day, DAY) + 1 AS days, kind
FROM gaps
WHERE DATE_DIFF(last_day, first_day, DAY) + 1 >= 7
