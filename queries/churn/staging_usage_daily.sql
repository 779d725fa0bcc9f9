-- question: On which days did a customer use the product, and how much?
-- grain: one row a customer and day of use
-- notes: Removed are rows of unknown customers, of days before the signup, with negative or missing
--   numbers, and repetitions of a customer's day, of which the one with most minutes is kept. Mended
--   are days with minutes of use and no session: the session began the day before and went on past
--   midnight, so it counts as 1; and more minutes than a day has, which become 1,440. Days whose log
--   was lost are not made up.
-- columns:
--   customer_id INT64: marts.staging_customers.customer_id
--   usage_date DATE: the day
--   days_since_signup INT64: 0 on the day of signup
--   sessions INT64: sessions in use that day
--   usage_minutes FLOAT64: minutes of use, at most 1,440
--   feature_events INT64: uses of a feature
--   is_mended BOOL: whether sessions or minutes differ from the source
-- partition: usage_date
-- cluster: customer_id
-- incremental: logged
-- tests:
--   one_row_a_customer_and_day:
--     SELECT customer_id, usage_date FROM marts.staging_usage_daily
--     GROUP BY customer_id, usage_date HAVING COUNT(*) > 1
--   numbers_are_possible:
--     SELECT * FROM marts.staging_usage_daily
--     WHERE days_since_signup < 0 OR sessions < 0 OR feature_events < 0 OR usage_minutes NOT BETWEEN 0 AND 1440
WITH logged AS (
  SELECT
    usage.customer_id,
    usage.usage_date,
    customers.signup_date,
    usage.sessions,
    usage.usage_minutes,
    usage.feature_events
  FROM raw.usage_daily AS usage
  INNER JOIN marts.staging_customers AS customers ON customers.customer_id = usage.customer_id
  WHERE usage.usage_date >= customers.signup_date
    AND usage.sessions >= 0 AND usage.usage_minutes >= 0 AND usage.feature_events >= 0
),
numbered AS (
  SELECT
    *,
    DATE_DIFF(usage_date, signup_date, DAY) AS days_since_signup,
    ROW_NUMBER() OVER (
      PARTITION BY customer_id, usage_date ORDER BY usage_minutes DESC, sessions DESC, feature_events DESC
    ) AS place
  FROM logged
)
SELECT
  customer_id,
  usage_date,
  days_since_signup,
  IF(sessions = 0 AND usage_minutes > 0, 1, sessions) AS sessions,
  LEAST(usage_minutes, 1440.0) AS usage_minutes,
  feature_events,
  (sessions = 0 AND usage_minutes > 0) OR usage_minutes > 1440 AS is_mended
FROM numbered
WHERE place = 1
