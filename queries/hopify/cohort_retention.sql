-- question: Of the customers who signed up in a month, how many are subscribed n months later?
-- grain: one row a signup month and month since signup
-- notes: Active means covered by a subscription on the last day of the calendar month that is
--   months_since months after the signup month (in the as-of month: on the as-of day). Month 0 is
--   the month of signup itself, and may be below 1: some customers never subscribe, some leave at once.
-- columns:
--   signup_month DATE: first day of the month of signup; the cohort
--   months_since INT64: full calendar months since the signup month
--   month DATE: the calendar month observed
--   is_complete BOOL: whether the data reaches the end of the month observed
--   cohort_size INT64: customers who signed up in signup_month
--   active_customers INT64: those of them active at the end of the month observed
--   retention FLOAT64: active_customers / cohort_size, 0 to 1
--   mrr NUMERIC(18, 2): monthly recurring revenue of the active ones
--   mrr_retention FLOAT64: mrr / the cohort's mrr in month 0; NULL where that is 0; above 1 when upgrades outweigh losses
-- tests:
--   one_row_a_cohort_and_month:
--     SELECT signup_month, months_since FROM marts.cohort_retention GROUP BY signup_month, months_since HAVING COUNT(*) > 1
--   shares_within_0_and_1:
--     SELECT * FROM marts.cohort_retention WHERE NOT COALESCE(retention BETWEEN 0 AND 1, FALSE)
--   sizes_sum_to_customers:
--     SELECT cohorts.customers, raw_rows.customers AS raw_customers
--     FROM (SELECT COALESCE(SUM(cohort_size), 0) AS customers FROM marts.cohort_retention WHERE months_since = 0) AS cohorts
--     CROSS JOIN (SELECT COUNT(*) AS customers FROM raw.customers) AS raw_rows
--     WHERE cohorts.customers != raw_rows.customers
--   sizes_stay_the_same:
--     SELECT signup_month FROM marts.cohort_retention
--     GROUP BY signup_month HAVING MIN(cohort_size) != MAX(cohort_size)
WITH cells AS (
  SELECT
    signup_month,
    months_since,
    month,
    COUNT(*) AS cohort_size,
    COUNTIF(is_active) AS active_customers,
    SUM(mrr) AS mrr
  FROM marts.customer_months
  GROUP BY signup_month, months_since, month
)
SELECT
  cells.signup_month,
  cells.months_since,
  cells.month,
  months.is_complete,
  cells.cohort_size,
  cells.active_customers,
  cells.active_customers / cells.cohort_size AS retention,
  cells.mrr,
  CAST(cells.mrr AS FLOAT64)
    / NULLIF(CAST(FIRST_VALUE(cells.mrr) OVER (PARTITION BY cells.signup_month ORDER BY cells.months_since) AS FLOAT64), 0)
    AS mrr_retention
FROM cells
INNER JOIN marts.months AS months ON months.month = cells.month
