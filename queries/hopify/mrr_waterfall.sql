-- question: What moved monthly recurring revenue from one month's end to the next?
-- grain: one row a calendar month
-- notes: Movements are the difference of a customer's MRR between the ends of two months, so that
--   they add up to the cent. Losses (contraction, churn) are negative.
-- columns:
--   month DATE: first day of the month
--   is_complete BOOL: whether the data reaches the month's end
--   mrr_start NUMERIC(18, 2): MRR at the end of the month before
--   new_mrr NUMERIC(18, 2): from customers active for the first time
--   expansion_mrr NUMERIC(18, 2): more from customers active before and after
--   contraction_mrr NUMERIC(18, 2): less from customers active before and after; at most 0
--   churned_mrr NUMERIC(18, 2): lost with customers no longer active; at most 0
--   reactivated_mrr NUMERIC(18, 2): from customers who came back
--   net_mrr NUMERIC(18, 2): sum of the five movements
--   mrr_end NUMERIC(18, 2): MRR at the month's end
--   net_revenue_retention FLOAT64: (mrr_start + expansion + contraction + churn) / mrr_start; NULL where that is 0
--   gross_revenue_retention FLOAT64: (mrr_start + contraction + churn) / mrr_start; NULL where that is 0
-- tests:
--   one_row_a_month:
--     SELECT month FROM marts.mrr_waterfall GROUP BY month HAVING COUNT(*) > 1
--   movements_balance:
--     SELECT * FROM marts.mrr_waterfall
--     WHERE mrr_start + net_mrr != mrr_end
--     OR net_mrr != new_mrr + expansion_mrr + contraction_mrr + churned_mrr + reactivated_mrr
--   starts_where_the_last_ended:
--     SELECT month FROM marts.mrr_waterfall WHERE TRUE
--     QUALIFY mrr_start != COALESCE(LAG(mrr_end) OVER (ORDER BY month), 0)
--   signs:
--     SELECT * FROM marts.mrr_waterfall
--     WHERE new_mrr < 0 OR expansion_mrr < 0 OR reactivated_mrr < 0 OR contraction_mrr > 0 OR churned_mrr > 0
WITH movements AS (
  SELECT
    month,
    previous_mrr,
    mrr,
    mrr - previous_mrr AS movement,
    CASE
      WHEN was_active AND NOT is_active THEN 'churned'
      WHEN was_active AND mrr > previous_mrr THEN 'expansion'
      WHEN was_active THEN 'contraction'
      WHEN was_ever_active THEN 'reactivated'
      ELSE 'new'
    END AS kind
  FROM marts.customer_months
  WHERE is_active OR was_active
),
sums AS (
  SELECT
    month,
    SUM(previous_mrr) AS mrr_start,
    SUM(IF(kind = 'new', movement, 0)) AS new_mrr,
    SUM(IF(kind = 'expansion', movement, 0)) AS expansion_mrr,
    SUM(IF(kind = 'contraction', movement, 0)) AS contraction_mrr,
    SUM(IF(kind = 'churned', movement, 0)) AS churned_mrr,
    SUM(IF(kind = 'reactivated', movement, 0)) AS reactivated_mrr,
    SUM(movement) AS net_mrr,
    SUM(mrr) AS mrr_end
  FROM movements
  GROUP BY month
)
SELECT
  months.month,
  months.is_complete,
  COALESCE(sums.mrr_start, 0) AS mrr_start,
  COALESCE(sums.new_mrr, 0) AS new_mrr,
  COALESCE(sums.expansion_mrr, 0) AS expansion_mrr,
  COALESCE(sums.contraction_mrr, 0) AS contraction_mrr,
  COALESCE(sums.churned_mrr, 0) AS churned_mrr,
  COALESCE(sums.reactivated_mrr, 0) AS reactivated_mrr,
  COALESCE(sums.net_mrr, 0) AS net_mrr,
  COALESCE(sums.mrr_end, 0) AS mrr_end,
  CAST(sums.mrr_start + sums.expansion_mrr + sums.contraction_mrr + sums.churned_mrr AS FLOAT64)
    / NULLIF(CAST(sums.mrr_start AS FLOAT64), 0) AS net_revenue_retention,
  CAST(sums.mrr_start + sums.contraction_mrr + sums.churned_mrr AS FLOAT64)
    / NULLIF(CAST(sums.mrr_start AS FLOAT64), 0) AS gross_revenue_retention
FROM marts.months AS months
LEFT JOIN sums ON sums.month = months.month
