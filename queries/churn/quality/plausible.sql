-- question: Which rows cannot be right?
-- grain: one row a row that breaks a rule
-- columns:
--   rule STRING: the rule that is broken
--   row_key STRING: the key of the row that breaks it
SELECT 'use before signup' AS rule, CAST(usages.customer_id AS STRING) AS row_key
FROM raw.usage_daily AS usages
INNER JOIN raw.customers AS customers ON customers.customer_id = usages.customer_id
WHERE usages.usage_date < customers.signup_date
UNION ALL
SELECT 'bill before signup, or of a free plan' AS rule, CAST(bills.customer_id AS STRING) AS row_key
FROM raw.billing AS bills
INNER JOIN raw.customers AS customers ON customers.customer_id = bills.customer_id
WHERE bills.bill_date < customers.signup_date OR customers.plan = 'Free'
UNION ALL
SELECT 'ticket before signup' AS rule, CAST(tickets.ticket_id AS STRING) AS row_key
FROM raw.support AS tickets
INNER JOIN raw.customers AS customers ON customers.customer_id = tickets.customer_id
WHERE tickets.ticket_date < customers.signup_date
UNION ALL
SELECT 'negative use, or more than a day of it' AS rule, CAST(customer_id AS STRING) AS row_key
FROM raw.usage_daily
WHERE sessions < 0 OR feature_events < 0 OR usage_minutes < 0 OR usage_minutes > 1440
UNION ALL
SELECT 'bill without an amount' AS rule, CAST(customer_id AS STRING) AS row_key
FROM raw.billing
WHERE CAST(amount AS FLOAT64) <= 0
