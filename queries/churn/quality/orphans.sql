-- question: Which rows belong to nobody?
-- grain: one row a row that breaks a rule
-- columns:
--   rule STRING: the rule that is broken
--   row_key STRING: the key of the row that breaks it
SELECT 'usage_daily.customer_id refers to nothing' AS rule, CAST(child.customer_id AS STRING) AS row_key
FROM raw.usage_daily AS child
WHERE child.customer_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.customers AS parent WHERE parent.customer_id = child.customer_id
)
UNION ALL
SELECT 'billing.customer_id refers to nothing' AS rule, CAST(child.customer_id AS STRING) AS row_key
FROM raw.billing AS child
WHERE child.customer_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.customers AS parent WHERE parent.customer_id = child.customer_id
)
UNION ALL
SELECT 'support.customer_id refers to nothing' AS rule, CAST(child.ticket_id AS STRING) AS row_key
FROM raw.support AS child
WHERE child.customer_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.customers AS parent WHERE parent.customer_id = child.customer_id
)
