-- question: Of the customers who signed up in a month, how many are subscribed later, and at what price?
-- grain: one row a signup month, segment and month since signup
-- notes: Retention is SUM(active_customers) / SUM(cohort_size), and a calculated field of the report. Filter to
--   complete months, or the last column of each cohort is read in the middle of a month.
-- columns:
--   signup_month DATE: first day of the month of signup; the cohort
--   segment STRING: the customer's segment
--   months_since INT64: calendar months since the month of signup; 0 is that month itself
--   month DATE: first day of the month observed
--   is_complete BOOL: whether the data reaches the end of the month observed
--   cohort_size INT64: customers of the segment who signed up in the month
--   active_customers INT64: those of them subscribed at the end of the month observed
--   mrr NUMERIC(18, 2): monthly recurring revenue of these
SELECT
  cells.signup_month,
  cells.segment,
  cells.months_since,
  cells.month,
  months.is_complete,
  COUNT(*) AS cohort_size,
  COUNTIF(cells.is_active) AS active_customers,
  SUM(cells.mrr) AS mrr
FROM marts.customer_months AS cells
INNER JOIN marts.months AS months ON months.month = cells.month
GROUP BY cells.signup_month, cells.segment, cells.months_since, cells.month, months.is_complete
