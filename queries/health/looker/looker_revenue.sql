-- question: What moves monthly recurring revenue?
-- grain: one row a calendar month
-- columns:
--   month DATE: first day of the month
--   starting_mrr NUMERIC(18, 2): MRR at the end of the month before
--   new_mrr NUMERIC(18, 2): from first subscriptions
--   expansion_mrr NUMERIC(18, 2): from upgrades
--   contraction_mrr NUMERIC(18, 2): lost by downgrades; at most 0
--   churn_mrr NUMERIC(18, 2): lost with customers who left; at most 0
--   ending_mrr NUMERIC(18, 2): MRR at the month's end
--   kept_mrr NUMERIC(18, 2): what those who paid at the start pay at the end
--   steady_mrr NUMERIC(18, 2): the same, none of them counted for more than at the start
--   active_customers INT64: customers at the month's end
SELECT
  month,
  starting_mrr,
  new_mrr,
  expansion_mrr,
  contraction_mrr,
  churn_mrr,
  ending_mrr,
  CAST(ROUND(net_revenue_retention * CAST(starting_mrr AS FLOAT64), 2) AS NUMERIC) AS kept_mrr,
  CAST(ROUND(gross_revenue_retention * CAST(starting_mrr AS FLOAT64), 2) AS NUMERIC) AS steady_mrr,
  active_customers
FROM marts.day06_mrr_summary
