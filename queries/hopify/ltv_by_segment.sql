-- question: What is a customer of each segment worth over its life?
-- grain: one row a segment that has customers, and one for all of them
-- notes: Two answers. So far: the succeeded payments of all customers who ever signed up, a customer. Expected:
--   arpu / monthly_churn_rate, the revenue of a customer's month over as many months as customers stay at the
--   present rate of leaving. Rates are of the last twelve whole months, or of as many as there are.
-- columns:
--   segment STRING: the customers' segment, or all
--   customers INT64: customers who ever signed up
--   active_customers INT64: customers subscribed on the as-of day
--   revenue NUMERIC(18, 2): succeeded payments of all time
--   ltv_so_far FLOAT64: revenue / customers
--   arpu FLOAT64: revenue / customers active at the month's end, over the last twelve whole months; NULL where nobody was
--   monthly_churn_rate FLOAT64: customers lost / customers active at the months' starts, over the same months, 0 to 1
--   expected_months FLOAT64: 1 / monthly_churn_rate; NULL where nobody has left
--   ltv_expected FLOAT64: arpu * expected_months; NULL where either is missing
-- tests:
--   one_row_a_segment:
--     SELECT segment FROM marts.ltv_by_segment GROUP BY segment HAVING COUNT(*) > 1
--   customers_sum_to_all:
--     SELECT mart.customers, mart.revenue, raw_rows.customers AS raw_customers
--     FROM (
--       SELECT COALESCE(SUM(IF(segment = 'all', customers, 0)), 0) AS customers,
--         COALESCE(SUM(IF(segment = 'all', -customers, customers)), 0) AS off,
--         COALESCE(SUM(IF(segment = 'all', -revenue, revenue)), 0) AS revenue
--       FROM marts.ltv_by_segment
--     ) AS mart
--     CROSS JOIN (SELECT COUNT(*) AS customers FROM raw.customers) AS raw_rows
--     WHERE mart.customers != raw_rows.customers OR mart.off != 0 OR mart.revenue != 0
--   shares_within_0_and_1:
--     SELECT * FROM marts.ltv_by_segment
--     WHERE monthly_churn_rate NOT BETWEEN 0 AND 1 OR active_customers > customers
WITH recent AS (
  SELECT month
  FROM marts.months
  WHERE is_complete
  QUALIFY ROW_NUMBER() OVER (ORDER BY month DESC) <= 12
),
totals AS (
  SELECT
    part AS segment,
    COUNT(*) AS customers,
    COUNTIF(customers.is_active) AS active_customers,
    SUM(customers.revenue) AS revenue
  FROM marts.customer_value AS customers
  CROSS JOIN UNNEST([customers.segment, 'all']) AS part
  GROUP BY part
),
leaving AS (
  SELECT
    part AS segment,
    COUNTIF(states.is_active) AS customer_months,
    COUNTIF(states.was_active) AS starts,
    COUNTIF(states.was_active AND NOT states.is_active) AS lost
  FROM marts.customer_months AS states
  INNER JOIN recent ON recent.month = states.month
  CROSS JOIN UNNEST([states.segment, 'all']) AS part
  GROUP BY part
),
earning AS (
  SELECT part AS segment, SUM(paid.revenue) AS revenue
  FROM marts.revenue_by_month AS paid
  INNER JOIN recent ON recent.month = paid.month
  CROSS JOIN UNNEST([paid.segment, 'all']) AS part
  GROUP BY part
),
rates AS (
  SELECT
    leaving.segment,
    CAST(earning.revenue AS FLOAT64) / NULLIF(leaving.customer_months, 0) AS arpu,
    leaving.lost / NULLIF(leaving.starts, 0) AS monthly_churn_rate
  FROM leaving
  INNER JOIN earning ON earning.segment = leaving.segment
)
SELECT
  totals.segment,
  totals.customers,
  totals.active_customers,
  totals.revenue,
  CAST(totals.revenue AS FLOAT64) / totals.customers AS ltv_so_far,
  rates.arpu,
  rates.monthly_churn_rate,
  1 / NULLIF(rates.monthly_churn_rate, 0) AS expected_months,
  rates.arpu / NULLIF(rates.monthly_churn_rate, 0) AS ltv_expected
FROM totals
LEFT JOIN rates ON rates.segment = totals.segment
