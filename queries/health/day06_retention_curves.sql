-- question: Of the customers who signed up in a month, how many are still there n months after their signup?
-- grain: one row a signup month and month since signup that at least one of its customers has reached
-- notes: Each customer is looked at on its own day: the day n months after its signup, or that month's last
--   day where it has no such day (31 January, then 28 or 29 February). Only customers whose day has come by
--   the as-of day count, so the newest point of a cohort may stand on a part of it. Retained means covered
--   on that day. The curve over all cohorts is SUM(retained_customers) / SUM(eligible_customers) by months_since.
-- columns:
--   signup_month DATE: first day of the month of signup; the cohort
--   months_since INT64: months from each customer's signup
--   cohort_size INT64: customers who signed up in signup_month
--   eligible_customers INT64: those whose day has come
--   retained_customers INT64: those of them covered on their day
--   retention FLOAT64: retained_customers / eligible_customers, 0 to 1
--   is_complete BOOL: whether all of the cohort is eligible
--   starting_mrr NUMERIC(18, 2): first monthly price of the eligible
--   retained_mrr NUMERIC(18, 2): monthly price of the retained on their day
--   revenue_retention FLOAT64: retained_mrr / starting_mrr; above 1 when upgrades outweigh losses; NULL where that is 0
-- tests:
--   one_row_a_cohort_and_month:
--     SELECT signup_month, months_since FROM marts.day06_retention_curves GROUP BY signup_month, months_since HAVING COUNT(*) > 1
--   shares_within_0_and_1:
--     SELECT * FROM marts.day06_retention_curves WHERE NOT COALESCE(retention BETWEEN 0 AND 1, FALSE)
--   sizes_sum_to_customers:
--     SELECT curves.customers, raw_rows.customers AS raw_customers
--     FROM (
--       SELECT COALESCE(SUM(cohort_size), 0) AS customers FROM marts.day06_retention_curves WHERE months_since = 0
--     ) AS curves
--     CROSS JOIN (SELECT COUNT(*) AS customers FROM raw.day06_customers) AS raw_rows
--     WHERE curves.customers != raw_rows.customers
--   nobody_comes_back:
--     SELECT signup_month, months_since FROM marts.day06_retention_curves WHERE is_complete
--     QUALIFY retained_customers > LAG(retained_customers) OVER (PARTITION BY signup_month ORDER BY months_since)
WITH cohorts AS (
  SELECT DATE_TRUNC(signup_date, MONTH) AS signup_month, COUNT(*) AS cohort_size
  FROM raw.day06_customers
  GROUP BY signup_month
),
firsts AS (
  SELECT customer_id, mrr
  FROM marts.subscription_steps
  WHERE kind = 'new'
),
looks AS (
  SELECT
    customers.customer_id,
    DATE_TRUNC(customers.signup_date, MONTH) AS signup_month,
    months_since,
    DATE_ADD(customers.signup_date, INTERVAL months_since MONTH) AS day
  FROM raw.day06_customers AS customers
  CROSS JOIN (SELECT MAX(as_of) AS as_of FROM marts.months) AS data
  CROSS JOIN UNNEST(GENERATE_ARRAY(0, DATE_DIFF(data.as_of, customers.signup_date, MONTH))) AS months_since
  WHERE DATE_ADD(customers.signup_date, INTERVAL months_since MONTH) <= data.as_of
),
states AS (
  SELECT
    looks.signup_month,
    looks.months_since,
    looks.customer_id,
    COALESCE(firsts.mrr, 0) AS starting_mrr,
    COUNT(steps.subscription_id) > 0 AS is_retained,
    COALESCE(SUM(steps.mrr), 0) AS mrr
  FROM looks
  LEFT JOIN firsts ON firsts.customer_id = looks.customer_id
  LEFT JOIN marts.subscription_steps AS steps
    ON steps.customer_id = looks.customer_id
    AND steps.start_date <= looks.day
    AND COALESCE(steps.next_start_date > looks.day, TRUE)
    AND COALESCE(steps.churned_on >= looks.day, TRUE)
  GROUP BY looks.signup_month, looks.months_since, looks.customer_id, firsts.mrr
),
cells AS (
  SELECT
    signup_month,
    months_since,
    COUNT(*) AS eligible_customers,
    COUNTIF(is_retained) AS retained_customers,
    SUM(starting_mrr) AS starting_mrr,
    SUM(mrr) AS retained_mrr
  FROM states
  GROUP BY signup_month, months_since
)
SELECT
  cells.signup_month,
  cells.months_since,
  cohorts.cohort_size,
  cells.eligible_customers,
  cells.retained_customers,
  cells.retained_customers / cells.eligible_customers AS retention,
  cells.eligible_customers = cohorts.cohort_size AS is_complete,
  cells.starting_mrr,
  cells.retained_mrr,
  CAST(cells.retained_mrr AS FLOAT64) / NULLIF(CAST(cells.starting_mrr AS FLOAT64), 0) AS revenue_retention
FROM cells
INNER JOIN cohorts ON cohorts.signup_month = cells.signup_month
