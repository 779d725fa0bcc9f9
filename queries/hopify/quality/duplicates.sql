-- question: What is there twice that should be there once, however it is written?
-- grain: one row a row that breaks a rule
-- columns:
--   rule STRING: the rule that is broken
--   row_key STRING: the key of the row that breaks it
SELECT 'customers.email twice' AS rule, LOWER(email) AS row_key
FROM raw.customers
GROUP BY LOWER(email)
HAVING COUNT(*) > 1
UNION ALL
SELECT 'discounts.code twice' AS rule, LOWER(code) AS row_key
FROM raw.discounts
GROUP BY LOWER(code)
HAVING COUNT(*) > 1
UNION ALL
SELECT 'products.sku twice' AS rule, LOWER(sku) AS row_key
FROM raw.products
GROUP BY LOWER(sku)
HAVING COUNT(*) > 1
UNION ALL
SELECT 'campaigns.name twice' AS rule, LOWER(name) AS row_key
FROM raw.campaigns
GROUP BY LOWER(name)
HAVING COUNT(*) > 1
