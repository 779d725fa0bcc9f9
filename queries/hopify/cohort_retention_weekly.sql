-- question: Of the customers who signed up in a week, how many are subscribed n weeks later, and at what revenue?
-- grain: one row a signup week and week since signup
-- notes: Weeks begin on Monday. Active means covered by a subscription on the Sunday that ends the week
--   observed (in the as-of week: on the as-of day); a subscription does not cover its ended_on. Week 0 is
--   the week of signup itself. The monthly twin is cohort_retention.
-- columns:
--   signup_week DATE: Monday of the week of signup; the cohort
--   weeks_since INT64: weeks from the signup week to the week observed
--   week DATE: Monday of the week observed
--   is_complete BOOL: whether the data reaches the end of the week observed
--   cohort_size INT64: customers who signed up in signup_week
--   active_customers INT64: those of them active at the end of the week observed
--   retention FLOAT64: active_customers / cohort_size, 0 to 1
--   mrr NUMERIC(18, 2): monthly recurring revenue of the active ones
--   mrr_retention FLOAT64: mrr / the cohort's mrr in week 0; NULL where that is 0; above 1 when upgrades outweigh losses
-- tests:
--   one_row_a_cohort_and_week:
--     SELECT signup_week, weeks_since FROM marts.cohort_retention_weekly GROUP BY signup_week, weeks_since HAVING COUNT(*) > 1
--   shares_within_0_and_1:
--     SELECT * FROM marts.cohort_retention_weekly WHERE NOT COALESCE(retention BETWEEN 0 AND 1, FALSE)
--   sizes_sum_to_customers:
--     SELECT cohorts.customers, raw_rows.customers AS raw_customers
--     FROM (
--       SELECT COALESCE(SUM(cohort_size), 0) AS customers FROM marts.cohort_retention_weekly WHERE weeks_since = 0
--     ) AS cohorts
--     CROSS JOIN (SELECT COUNT(*) AS customers FROM raw.customers) AS raw_rows
--     WHERE cohorts.customers != raw_rows.customers
--   ends_with_the_customers_of_today:
--     SELECT weekly.active_customers, weekly.mrr, growth.active_customers AS active_of_growth, growth.mrr AS mrr_of_growth
--     FROM (
--       SELECT SUM(active_customers) AS active_customers, SUM(mrr) AS mrr FROM marts.cohort_retention_weekly
--       WHERE week = (SELECT MAX(week) FROM marts.cohort_retention_weekly)
--     ) AS weekly
--     CROSS JOIN marts.customer_growth AS growth
--     WHERE growth.month = (SELECT MAX(month) FROM marts.months)
--     AND (weekly.active_customers != growth.active_customers OR weekly.mrr != growth.mrr)
WITH cohorts AS (
  SELECT DATE_TRUNC(signed_up_on, WEEK(MONDAY)) AS signup_week, COUNT(*) AS cohort_size
  FROM raw.customers
  GROUP BY signup_week
),
bounds AS (
  SELECT MIN(first_week) AS first_week, MAX(as_of) AS as_of
  FROM marts.months
  CROSS JOIN (SELECT MIN(signup_week) AS first_week FROM cohorts) AS firsts
),
weeks AS (
  SELECT week, LEAST(DATE_ADD(week, INTERVAL 6 DAY), as_of) AS observed_on, DATE_ADD(week, INTERVAL 6 DAY) <= as_of AS is_complete
  FROM bounds
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(first_week, as_of, INTERVAL 1 WEEK)) AS week
),
cells AS (
  SELECT
    DATE_TRUNC(customers.signed_up_on, WEEK(MONDAY)) AS signup_week,
    weeks.week,
    COUNT(DISTINCT customers.customer_id) AS active_customers,
    SUM(subscriptions.monthly_price) AS mrr
  FROM raw.customers AS customers
  INNER JOIN raw.subscriptions AS subscriptions ON subscriptions.customer_id = customers.customer_id
  INNER JOIN weeks
    ON weeks.week >= DATE_TRUNC(customers.signed_up_on, WEEK(MONDAY))
    AND subscriptions.started_on <= weeks.observed_on
    AND (subscriptions.ended_on IS NULL OR subscriptions.ended_on > weeks.observed_on)
  GROUP BY signup_week, weeks.week
)
SELECT
  cohorts.signup_week,
  DIV(DATE_DIFF(weeks.week, cohorts.signup_week, DAY), 7) AS weeks_since,
  weeks.week,
  weeks.is_complete,
  cohorts.cohort_size,
  COALESCE(cells.active_customers, 0) AS active_customers,
  COALESCE(cells.active_customers, 0) / cohorts.cohort_size AS retention,
  COALESCE(cells.mrr, 0) AS mrr,
  CAST(COALESCE(cells.mrr, 0) AS FLOAT64)
    / NULLIF(
      CAST(FIRST_VALUE(COALESCE(cells.mrr, 0)) OVER (PARTITION BY cohorts.signup_week ORDER BY weeks.week) AS FLOAT64), 0
    ) AS mrr_retention
FROM cohorts
INNER JOIN weeks ON weeks.week >= cohorts.signup_week
LEFT JOIN cells ON cells.signup_week = cohorts.signup_week AND cells.week = weeks.week
