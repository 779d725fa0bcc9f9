-- question: Which rows cannot be right?
-- grain: one row a row that breaks a rule
-- columns:
--   rule STRING: the rule that is broken
--   row_key STRING: the key of the row that breaks it
SELECT 'subscription that ends before it starts' AS rule, CAST(subscription_id AS STRING) AS row_key
FROM raw.day06_subscriptions
WHERE end_date < start_date
UNION ALL
SELECT 'price not above zero' AS rule, CAST(subscription_id AS STRING) AS row_key
FROM raw.day06_subscriptions
WHERE CAST(mrr AS FLOAT64) <= 0
UNION ALL
SELECT 'subscription before signup' AS rule, CAST(subscriptions.subscription_id AS STRING) AS row_key
FROM raw.day06_subscriptions AS subscriptions
INNER JOIN raw.day06_customers AS customers ON customers.customer_id = subscriptions.customer_id
WHERE subscriptions.start_date < customers.signup_date
UNION ALL
SELECT 'subscription that overlaps the next' AS rule, ordered.subscription_id AS row_key
FROM (
  SELECT
    subscription_id,
    end_date,
    LEAD(start_date) OVER (PARTITION BY customer_id ORDER BY start_date, subscription_id) AS next_start
  FROM raw.day06_subscriptions
) AS ordered
WHERE ordered.next_start IS NOT NULL AND (ordered.end_date IS NULL OR ordered.end_date >= ordered.next_start)
UNION ALL
SELECT 'month that does not add up' AS rule, CAST(month AS STRING) AS row_key
FROM raw.day06_mrr_movements
WHERE ABS(
  CAST(net_mrr AS FLOAT64) - (CAST(new_mrr AS FLOAT64) + CAST(expansion_mrr AS FLOAT64))
  + CAST(contraction_mrr AS FLOAT64) + CAST(churn_mrr AS FLOAT64)
) > 0.005
UNION ALL
SELECT 'address twice' AS rule, LOWER(email) AS row_key
FROM raw.day06_customers
GROUP BY LOWER(email)
HAVING COUNT(*) > 1
