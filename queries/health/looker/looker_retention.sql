-- question: Of the customers who signed up in a month, how many are still there n months after, and at what price?
-- grain: one row a signup month and month since signup
-- notes: Divide by the eligible only: of a young cohort, not everybody's day has come.
-- columns:
--   signup_month DATE: first day of the month of signup; the cohort
--   months_since INT64: months from each customer's signup
--   is_complete BOOL: whether the day of all of the cohort has come
--   eligible_customers INT64: customers of the cohort whose day has come
--   retained_customers INT64: those of them covered on their day
--   starting_mrr NUMERIC(18, 2): first monthly price of the eligible
--   retained_mrr NUMERIC(18, 2): monthly price of the retained on their day
SELECT
  signup_month,
  months_since,
  is_complete,
  eligible_customers,
  retained_customers,
  starting_mrr,
  retained_mrr
FROM marts.day06_retention_curves
