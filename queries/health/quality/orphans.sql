-- question: Which rows belong to nobody, and who has no rows?
-- grain: one row a row that breaks a rule
-- columns:
--   rule STRING: the rule that is broken
--   row_key STRING: the key of the row that breaks it
SELECT 'day06_subscriptions.customer_id refers to nothing' AS rule, CAST(child.subscription_id AS STRING) AS row_key
FROM raw.day06_subscriptions AS child
WHERE child.customer_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.day06_customers AS parent WHERE parent.customer_id = child.customer_id
)
UNION ALL
SELECT 'customer without a subscription' AS rule, CAST(customers.customer_id AS STRING) AS row_key
FROM raw.day06_customers AS customers
WHERE NOT EXISTS (
  SELECT 1 FROM raw.day06_subscriptions AS subscriptions WHERE subscriptions.customer_id = customers.customer_id
)
