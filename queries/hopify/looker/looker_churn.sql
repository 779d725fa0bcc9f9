-- question: Who leaves, why, and what is lost?
-- grain: one row a calendar month of churn, segment and reason that occurred
-- columns:
--   month DATE: first day of the month of the churn
--   segment STRING: the customer's segment
--   reason STRING: the reason recorded
--   churn_events INT64: cancelled subscriptions
--   customers INT64: customers behind them; a customer who left twice in a month counts for each reason
--   lost_mrr NUMERIC(18, 2): monthly price of the cancelled subscriptions
--   score_sum FLOAT64: sum of the churn risks that behaviour showed; / churn_events is the mean risk
SELECT
  month,
  segment,
  reason,
  churn_events,
  customers,
  lost_mrr,
  average_score * churn_events AS score_sum
FROM marts.churn_reasons
