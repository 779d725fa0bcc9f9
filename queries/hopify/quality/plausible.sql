-- question: Which values lie outside what they can be?
-- grain: one row a row that breaks a rule
-- columns:
--   rule STRING: the rule that is broken
--   row_key STRING: the key of the row that breaks it
SELECT 'churn score outside 0 to 1' AS rule, CAST(churn_event_id AS STRING) AS row_key
FROM raw.churn_events
WHERE score < 0 OR score > 1
UNION ALL
SELECT 'satisfaction outside 1 to 5' AS rule, CAST(ticket_id AS STRING) AS row_key
FROM raw.support_tickets
WHERE satisfaction < 1 OR satisfaction > 5
UNION ALL
SELECT 'more leads than visitors, or more qualified than leads' AS rule, CAST(month AS STRING) AS row_key
FROM raw.web_traffic
WHERE leads > visitors OR mqls > leads
UNION ALL
SELECT 'country code that is not two capitals' AS rule, CAST(customer_id AS STRING) AS row_key
FROM raw.customers
WHERE LENGTH(country_code) <> 2 OR UPPER(country_code) <> country_code
UNION ALL
SELECT 'email without an @' AS rule, CAST(customer_id AS STRING) AS row_key
FROM raw.customers
WHERE email NOT LIKE '%_@_%'
