-- question: How many customers of each signup month have left, how soon, and what went with them?
-- grain: one row a signup month
-- notes: A customer has churned once the last of its subscriptions has an end date. A customer-month is a
--   twelfth of 365.25 days between signup and the end, or the as-of day.
-- columns:
--   signup_month DATE: first day of the month of signup; the cohort
--   customers INT64: customers who signed up in it
--   churned_customers INT64: those who have left
--   active_customers INT64: those who are subscribed; a customer who never subscribed is neither
--   churn_rate FLOAT64: churned_customers / customers, 0 to 1
--   churned_within_a_month INT64: those who left before the day a month after their signup
--   average_days_to_churn FLOAT64: mean days covered of those who have left; NULL where nobody has
--   churned_mrr NUMERIC(18, 2): last monthly price of those who have left
--   remaining_mrr NUMERIC(18, 2): monthly price of those who have not
--   customer_months FLOAT64: months lived by all of them together
--   monthly_churn_rate FLOAT64: churned_customers / customer_months
-- tests:
--   one_row_a_cohort:
--     SELECT signup_month FROM marts.day06_churn_by_cohort GROUP BY signup_month HAVING COUNT(*) > 1
--   shares_within_0_and_1:
--     SELECT * FROM marts.day06_churn_by_cohort WHERE NOT COALESCE(churn_rate BETWEEN 0 AND 1, FALSE)
--   sizes_sum_to_customers:
--     SELECT cohorts.customers, cohorts.churned, raw_rows.customers AS raw_customers, raw_rows.churned AS raw_churned
--     FROM (
--       SELECT COALESCE(SUM(customers), 0) AS customers, COALESCE(SUM(churned_customers), 0) AS churned
--       FROM marts.day06_churn_by_cohort
--     ) AS cohorts
--     CROSS JOIN (
--       SELECT COUNT(*) AS customers, COUNTIF(status = 'churned') AS churned FROM raw.day06_customers
--     ) AS raw_rows
--     WHERE cohorts.customers != raw_rows.customers OR cohorts.churned != raw_rows.churned
--   parts_within_the_whole:
--     SELECT * FROM marts.day06_churn_by_cohort
--     WHERE churned_customers + active_customers > customers OR churned_within_a_month > churned_customers
WITH people AS (
  SELECT
    DATE_TRUNC(customers.signup_date, MONTH) AS signup_month,
    customers.signup_date,
    steps.churned_on,
    steps.customer_id IS NOT NULL AND steps.churned_on IS NULL AS is_active,
    COALESCE(steps.mrr, 0) AS mrr,
    DATE_DIFF(COALESCE(steps.churned_on, data.as_of), customers.signup_date, DAY) + 1 AS days
  FROM raw.day06_customers AS customers
  CROSS JOIN (SELECT MAX(as_of) AS as_of FROM marts.months) AS data
  LEFT JOIN marts.subscription_steps AS steps
    ON steps.customer_id = customers.customer_id AND steps.next_start_date IS NULL
)
SELECT
  signup_month,
  COUNT(*) AS customers,
  COUNT(churned_on) AS churned_customers,
  COUNTIF(is_active) AS active_customers,
  COUNT(churned_on) / COUNT(*) AS churn_rate,
  COUNTIF(churned_on < DATE_ADD(signup_date, INTERVAL 1 MONTH)) AS churned_within_a_month,
  AVG(IF(churned_on IS NULL, NULL, days)) AS average_days_to_churn,
  SUM(IF(churned_on IS NULL, 0, mrr)) AS churned_mrr,
  SUM(IF(churned_on IS NULL, mrr, 0)) AS remaining_mrr,
  SUM(days) * 12 / 365.25 AS customer_months,
  COUNT(churned_on) / (SUM(days) * 12 / 365.25) AS monthly_churn_rate
FROM people
GROUP BY signup_month
