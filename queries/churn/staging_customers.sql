-- question: Who are the customers, in one spelling and once each?
-- grain: one row a customer
-- notes: Removed are rows without an id, a signup date or a known plan, and repetitions of an id, of
--   which the earliest signup is kept. Mended are plans and regions in another case or with blanks
--   around them; an unknown region becomes 'unknown'.
-- columns:
--   customer_id INT64: raw.customers.customer_id
--   signup_date DATE: day of signup
--   signup_month DATE: first day of its month
--   plan STRING: Free, Basic, Pro or Enterprise
--   is_paid BOOL: whether the plan is billed
--   region STRING: NA, EU, APAC, LATAM or unknown
--   is_mended BOOL: whether plan or region was spelled otherwise in the source
-- tests:
--   one_row_a_customer:
--     SELECT customer_id FROM marts.staging_customers GROUP BY customer_id HAVING COUNT(*) > 1
--   plans_are_known:
--     SELECT * FROM marts.staging_customers
--     WHERE plan NOT IN ('Free', 'Basic', 'Pro', 'Enterprise') OR is_paid != (plan != 'Free')
--     OR region NOT IN ('NA', 'EU', 'APAC', 'LATAM', 'unknown') OR signup_month != DATE_TRUNC(signup_date, MONTH)
WITH spelled AS (
  SELECT
    customer_id,
    signup_date,
    plan AS given_plan,
    region AS given_region,
    CASE LOWER(TRIM(plan))
      WHEN 'free' THEN 'Free' WHEN 'basic' THEN 'Basic' WHEN 'pro' THEN 'Pro' WHEN 'enterprise' THEN 'Enterprise'
    END AS plan,
    CASE
      WHEN UPPER(TRIM(region)) IN ('NA', 'EU', 'APAC', 'LATAM') THEN UPPER(TRIM(region)) ELSE 'unknown'
    END AS region
  FROM raw.customers
),
numbered AS (
  SELECT
    customer_id,
    signup_date,
    plan,
    region,
    COALESCE(plan != given_plan OR region != given_region, TRUE) AS is_mended,
    ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY signup_date, plan, region, given_plan, given_region) AS place
  FROM spelled
  WHERE customer_id IS NOT NULL AND signup_date IS NOT NULL AND plan IS NOT NULL
)
SELECT
  customer_id,
  signup_date,
  DATE_TRUNC(signup_date, MONTH) AS signup_month,
  plan,
  plan != 'Free' AS is_paid,
  region,
  is_mended
FROM numbered
WHERE place = 1
