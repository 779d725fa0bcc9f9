-- question: Which support tickets did customers open, when and about what?
-- grain: one row a ticket
-- notes: Removed are tickets of unknown customers, dated before the signup, with an unknown category
--   or priority, and repetitions of an id, of which the earliest is kept. Mended are categories and
--   priorities in another case or with blanks around them.
-- columns:
--   ticket_id INT64: raw.support.ticket_id
--   customer_id INT64: marts.staging_customers.customer_id
--   ticket_date DATE: day it was opened
--   days_since_signup INT64: 0 on the day of signup
--   category STRING: billing, technical or onboarding
--   priority STRING: low, medium or high
--   is_mended BOOL: whether category or priority was spelled otherwise in the source
-- tests:
--   one_row_a_ticket:
--     SELECT ticket_id FROM marts.staging_support GROUP BY ticket_id HAVING COUNT(*) > 1
--   days_are_possible:
--     SELECT * FROM marts.staging_support WHERE days_since_signup < 0
--   values_are_known:
--     SELECT * FROM marts.staging_support
--     WHERE category NOT IN ('billing', 'technical', 'onboarding') OR priority NOT IN ('low', 'medium', 'high')
WITH numbered AS (
  SELECT
    support.ticket_id,
    support.customer_id,
    support.ticket_date,
    DATE_DIFF(support.ticket_date, customers.signup_date, DAY) AS days_since_signup,
    LOWER(TRIM(support.category)) AS category,
    LOWER(TRIM(support.priority)) AS priority,
    LOWER(TRIM(support.category)) != support.category
    OR LOWER(TRIM(support.priority)) != support.priority AS is_mended,
    ROW_NUMBER() OVER (
      PARTITION BY support.ticket_id ORDER BY support.ticket_date, support.customer_id, support.category, support.priority
    ) AS place
  FROM raw.support AS support
  INNER JOIN marts.staging_customers AS customers ON customers.customer_id = support.customer_id
  WHERE support.ticket_id IS NOT NULL
    AND support.ticket_date >= customers.signup_date
    AND LOWER(TRIM(support.category)) IN ('billing', 'technical', 'onboarding')
    AND LOWER(TRIM(support.priority)) IN ('low', 'medium', 'high')
)
SELECT ticket_id, customer_id, ticket_date, days_since_signup, category, priority, is_mended
FROM numbered
WHERE place = 1
