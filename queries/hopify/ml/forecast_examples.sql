-- question: How much was paid in each month?
-- grain: one row a complete calendar month
-- columns:
--   month DATE: first day of the month
--   revenue FLOAT64: payments that succeeded in the month and were not refunded
-- tests:
--   no_gap:
--     SELECT month FROM marts.forecast_examples WHERE TRUE
--     QUALIFY DATE_DIFF(month, LAG(month) OVER (ORDER BY month), MONTH) != 1
SELECT month, CAST(SUM(revenue) AS FLOAT64) AS revenue
FROM marts.revenue_by_month
WHERE is_complete
GROUP BY month
