-- question: Why do customers leave, when, and what do they take with them?
-- grain: one row a calendar month of churn, segment and reason that occurred
-- columns:
--   month DATE: first day of the month of the churn
--   segment STRING: the customer's segment
--   reason STRING: the reason recorded
--   churn_events INT64: cancelled subscriptions
--   customers INT64: customers behind them
--   lost_mrr NUMERIC(18, 2): monthly price of the cancelled subscriptions
--   average_score FLOAT64: mean churn risk, 0 to 1, that behaviour showed when they left
-- tests:
--   events_sum_to_churn_events:
--     SELECT mart.events, raw_rows.events AS raw_events
--     FROM (SELECT COALESCE(SUM(churn_events), 0) AS events FROM marts.churn_reasons) AS mart
--     CROSS JOIN (SELECT COUNT(*) AS events FROM raw.churn_events) AS raw_rows
--     WHERE mart.events != raw_rows.events
--   scores_within_0_and_1:
--     SELECT * FROM marts.churn_reasons WHERE NOT COALESCE(average_score BETWEEN 0 AND 1, FALSE)
SELECT
  DATE_TRUNC(events.churned_on, MONTH) AS month,
  customers.segment,
  events.reason,
  COUNT(*) AS churn_events,
  COUNT(DISTINCT customers.customer_id) AS customers,
  SUM(subscriptions.monthly_price) AS lost_mrr,
  AVG(events.score) AS average_score
FROM raw.churn_events AS events
INNER JOIN raw.subscriptions AS subscriptions ON subscriptions.subscription_id = events.subscription_id
INNER JOIN raw.customers AS customers ON customers.customer_id = subscriptions.customer_id
GROUP BY month, segment, reason
