-- question: Why do customers leave, when, how content were they, and what do they take with them?
-- grain: one row a calendar month of churn, segment and reason that occurred
-- notes: Satisfaction is what the customers answered about the cases they opened in the 90 days before they
--   left. Most have no such answer, so answers says on how many the mean stands.
-- columns:
--   month DATE: first day of the month of the churn
--   segment STRING: the customer's segment
--   reason STRING: the reason recorded
--   churn_events INT64: cancelled subscriptions
--   customers INT64: customers behind them
--   lost_mrr NUMERIC(18, 2): monthly price of the cancelled subscriptions
--   average_score FLOAT64: mean churn risk, 0 to 1, that behaviour showed when they left
--   tickets INT64: cases these customers opened in the 90 days before
--   answers INT64: those of them they answered about
--   average_satisfaction FLOAT64: mean answer, 1 to 5; NULL where nobody answered
-- tests:
--   one_row_a_month_segment_and_reason:
--     SELECT month, segment, reason FROM marts.churn_reasons GROUP BY month, segment, reason HAVING COUNT(*) > 1
--   events_sum_to_churn_events:
--     SELECT mart.events, raw_rows.events AS raw_events
--     FROM (SELECT COALESCE(SUM(churn_events), 0) AS events FROM marts.churn_reasons) AS mart
--     CROSS JOIN (SELECT COUNT(*) AS events FROM raw.churn_events) AS raw_rows
--     WHERE mart.events != raw_rows.events
--   scores_within_0_and_1:
--     SELECT * FROM marts.churn_reasons WHERE NOT COALESCE(average_score BETWEEN 0 AND 1, FALSE)
--   answers_within_1_and_5:
--     SELECT * FROM marts.churn_reasons
--     WHERE average_satisfaction NOT BETWEEN 1 AND 5 OR answers > tickets OR (answers = 0) != (average_satisfaction IS NULL)
WITH before AS (
  SELECT
    events.churn_event_id,
    COUNT(*) AS tickets,
    COUNT(tickets.satisfaction) AS answers,
    SUM(tickets.satisfaction) AS satisfaction
  FROM raw.churn_events AS events
  INNER JOIN raw.subscriptions AS subscriptions ON subscriptions.subscription_id = events.subscription_id
  INNER JOIN raw.support_tickets AS tickets
    ON tickets.customer_id = subscriptions.customer_id
    AND DATE(tickets.opened_at) >= DATE_SUB(events.churned_on, INTERVAL 90 DAY)
    AND DATE(tickets.opened_at) < events.churned_on
  GROUP BY events.churn_event_id
)
SELECT
  DATE_TRUNC(events.churned_on, MONTH) AS month,
  customers.segment,
  events.reason,
  COUNT(*) AS churn_events,
  COUNT(DISTINCT customers.customer_id) AS customers,
  SUM(subscriptions.monthly_price) AS lost_mrr,
  AVG(events.score) AS average_score,
  COALESCE(SUM(before.tickets), 0) AS tickets,
  COALESCE(SUM(before.answers), 0) AS answers,
  SUM(before.satisfaction) / NULLIF(SUM(before.answers), 0) AS average_satisfaction
FROM raw.churn_events AS events
INNER JOIN raw.subscriptions AS subscriptions ON subscriptions.subscription_id = events.subscription_id
INNER JOIN raw.customers AS customers ON customers.customer_id = subscriptions.customer_id
LEFT JOIN before ON before.churn_event_id = events.churn_event_id
GROUP BY month, segment, reason
