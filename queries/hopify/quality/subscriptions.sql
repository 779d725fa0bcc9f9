-- question: Which subscriptions contradict one another, or themselves?
-- grain: one row a row that breaks a rule
-- columns:
--   rule STRING: the rule that is broken
--   row_key STRING: the key of the row that breaks it
SELECT 'two active subscriptions of a customer' AS rule, CAST(customer_id AS STRING) AS row_key
FROM raw.subscriptions
WHERE status = 'active'
GROUP BY customer_id
HAVING COUNT(*) > 1
UNION ALL
SELECT 'subscription that overlaps the next' AS rule, CAST(ordered.subscription_id AS STRING) AS row_key
FROM (
  SELECT
    subscription_id,
    started_on,
    ended_on,
    LEAD(started_on) OVER (PARTITION BY customer_id ORDER BY started_on, subscription_id) AS next_start
  FROM raw.subscriptions
) AS ordered
WHERE ordered.next_start IS NOT NULL AND (ordered.ended_on IS NULL OR ordered.ended_on > ordered.next_start)
UNION ALL
SELECT 'active with an end, or ended without one' AS rule, CAST(subscription_id AS STRING) AS row_key
FROM raw.subscriptions
WHERE (status = 'active' AND ended_on IS NOT NULL) OR (status <> 'active' AND ended_on IS NULL)
UNION ALL
SELECT 'cancelled without a churn event' AS rule, CAST(subscriptions.subscription_id AS STRING) AS row_key
FROM raw.subscriptions AS subscriptions
WHERE subscriptions.status = 'cancelled' AND NOT EXISTS (
  SELECT 1 FROM raw.churn_events AS events WHERE events.subscription_id = subscriptions.subscription_id
)
UNION ALL
SELECT 'price not above zero' AS rule, CAST(subscription_id AS STRING) AS row_key
FROM raw.subscriptions
WHERE CAST(monthly_price AS FLOAT64) <= 0
