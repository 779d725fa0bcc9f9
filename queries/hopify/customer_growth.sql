-- question: How does the number of subscribed customers change from month to month?
-- grain: one row a calendar month
-- notes: Counted between the ends of two months. A customer who subscribes and cancels within one
--   month is a signup but never active; one who cancels and comes back within a month has not churned.
-- columns:
--   month DATE: first day of the month
--   is_complete BOOL: whether the data reaches the month's end
--   signups INT64: customers who signed up in the month
--   active_start INT64: customers active at the end of the month before
--   new_customers INT64: active for the first time
--   reactivated_customers INT64: active again, after at least one month end without a subscription
--   churned_customers INT64: active at the end of the month before and no longer
--   active_customers INT64: active at the month's end
--   logo_churn_rate FLOAT64: churned_customers / active_start; NULL where nobody was active
--   mrr NUMERIC(18, 2): monthly recurring revenue at the month's end
-- tests:
--   one_row_a_month:
--     SELECT month FROM marts.customer_growth GROUP BY month HAVING COUNT(*) > 1
--   movements_balance:
--     SELECT * FROM marts.customer_growth
--     WHERE active_start + new_customers + reactivated_customers - churned_customers != active_customers
--   starts_where_the_last_ended:
--     SELECT month FROM marts.customer_growth WHERE TRUE
--     QUALIFY active_start != COALESCE(LAG(active_customers) OVER (ORDER BY month), 0)
--   signups_sum_to_customers:
--     SELECT growth.signups, raw_rows.customers
--     FROM (SELECT COALESCE(SUM(signups), 0) AS signups FROM marts.customer_growth) AS growth
--     CROSS JOIN (SELECT COUNT(*) AS customers FROM raw.customers) AS raw_rows
--     WHERE growth.signups != raw_rows.customers
WITH counts AS (
  SELECT
    month,
    COUNTIF(months_since = 0) AS signups,
    COUNTIF(was_active) AS active_start,
    COUNTIF(is_active AND NOT was_ever_active) AS new_customers,
    COUNTIF(is_active AND NOT was_active AND was_ever_active) AS reactivated_customers,
    COUNTIF(was_active AND NOT is_active) AS churned_customers,
    COUNTIF(is_active) AS active_customers,
    SUM(mrr) AS mrr
  FROM marts.customer_months
  GROUP BY month
)
SELECT
  months.month,
  months.is_complete,
  COALESCE(counts.signups, 0) AS signups,
  COALESCE(counts.active_start, 0) AS active_start,
  COALESCE(counts.new_customers, 0) AS new_customers,
  COALESCE(counts.reactivated_customers, 0) AS reactivated_customers,
  COALESCE(counts.churned_customers, 0) AS churned_customers,
  COALESCE(counts.active_customers, 0) AS active_customers,
  counts.churned_customers / NULLIF(counts.active_start, 0) AS logo_churn_rate,
  COALESCE(counts.mrr, 0) AS mrr
FROM marts.months AS months
LEFT JOIN counts ON counts.month = months.month
