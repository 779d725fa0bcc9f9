-- question: What changed monthly recurring revenue in each month, judging by the subscriptions alone?
-- grain: one row a calendar month
-- notes: Recomputed from the subscriptions and held against the operational system's own table
--   raw.day06_mrr_movements: the build fails where a month differs by a cent. New revenue and changes count
--   in the month in which the subscription starts, churn in the month of the last day covered. Losses are
--   positive amounts, as in that table.
-- columns:
--   month DATE: first day of the month
--   new_mrr NUMERIC(18, 2): of first subscriptions
--   expansion_mrr NUMERIC(18, 2): gained by upgrades
--   contraction_mrr NUMERIC(18, 2): lost by downgrades; positive
--   churn_mrr NUMERIC(18, 2): lost with customers who left; positive
--   net_mrr NUMERIC(18, 2): new + expansion - contraction - churn
-- tests:
--   one_row_a_month:
--     SELECT month FROM marts.mrr_movements GROUP BY month HAVING COUNT(*) > 1
--   equal_to_the_generated_table_to_the_cent:
--     SELECT COALESCE(recomputed.month, stored.month) AS month, recomputed.net_mrr, stored.net_mrr AS stored_net_mrr
--     FROM marts.mrr_movements AS recomputed
--     FULL OUTER JOIN raw.day06_mrr_movements AS stored ON stored.month = recomputed.month
--     WHERE NOT COALESCE(
--       recomputed.new_mrr = stored.new_mrr AND recomputed.expansion_mrr = stored.expansion_mrr
--       AND recomputed.contraction_mrr = stored.contraction_mrr AND recomputed.churn_mrr = stored.churn_mrr
--       AND recomputed.net_mrr = stored.net_mrr, FALSE)
--   no_negative_part:
--     SELECT month FROM marts.mrr_movements
--     WHERE new_mrr < 0 OR expansion_mrr < 0 OR contraction_mrr < 0 OR churn_mrr < 0
--   parts_sum_to_net:
--     SELECT month FROM marts.mrr_movements
--     WHERE net_mrr != new_mrr + expansion_mrr - contraction_mrr - churn_mrr
WITH movements AS (
  SELECT
    DATE_TRUNC(start_date, MONTH) AS month,
    IF(kind = 'new', mrr, 0) AS new_mrr,
    IF(kind = 'expansion', mrr - previous_mrr, 0) AS expansion_mrr,
    IF(kind = 'contraction', previous_mrr - mrr, 0) AS contraction_mrr,
    0 AS churn_mrr
  FROM marts.subscription_steps
  UNION ALL
  SELECT DATE_TRUNC(churned_on, MONTH), 0, 0, 0, mrr
  FROM marts.subscription_steps
  WHERE churned_on IS NOT NULL
)
SELECT
  months.month,
  COALESCE(SUM(movements.new_mrr), 0) AS new_mrr,
  COALESCE(SUM(movements.expansion_mrr), 0) AS expansion_mrr,
  COALESCE(SUM(movements.contraction_mrr), 0) AS contraction_mrr,
  COALESCE(SUM(movements.churn_mrr), 0) AS churn_mrr,
  COALESCE(SUM(movements.new_mrr + movements.expansion_mrr - movements.contraction_mrr - movements.churn_mrr), 0)
    AS net_mrr
FROM marts.months AS months
LEFT JOIN movements ON movements.month = months.month
GROUP BY months.month
