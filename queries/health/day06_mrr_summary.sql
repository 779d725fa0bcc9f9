-- question: How does monthly recurring revenue get from one month's end to the next?
-- grain: one row a calendar month
-- notes: The waterfall. The start is the end of the month before; a customer who leaves on a month's last
--   day is gone at its end. The movements count every event. The two retentions compare the ends of two months
--   for those who paid at the start: what they pay now, and the same with nobody counted for more
--   than before. Who comes and leaves within a month is in the movements and in neither retention.
-- columns:
--   month DATE: first day of the month
--   starting_mrr NUMERIC(18, 2): MRR at the end of the month before
--   new_mrr NUMERIC(18, 2): from first subscriptions
--   expansion_mrr NUMERIC(18, 2): from upgrades
--   contraction_mrr NUMERIC(18, 2): lost by downgrades; at most 0
--   churn_mrr NUMERIC(18, 2): lost with customers who left; at most 0
--   net_mrr NUMERIC(18, 2): sum of the four
--   ending_mrr NUMERIC(18, 2): MRR at the month's end
--   active_customers INT64: customers at the month's end
--   growth_rate FLOAT64: net_mrr / starting_mrr; NULL where that is 0
--   net_revenue_retention FLOAT64: MRR now of those who paid at the start / starting_mrr; NULL where that is 0
--   gross_revenue_retention FLOAT64: the same, none of them counted for more than at the start, 0 to 1; NULL where that is 0
-- tests:
--   one_row_a_month:
--     SELECT month FROM marts.day06_mrr_summary GROUP BY month HAVING COUNT(*) > 1
--   movements_balance:
--     SELECT month FROM marts.day06_mrr_summary
--     WHERE starting_mrr + net_mrr != ending_mrr
--     OR net_mrr != new_mrr + expansion_mrr + contraction_mrr + churn_mrr
--   starts_where_the_last_ended:
--     SELECT month FROM marts.day06_mrr_summary WHERE TRUE
--     QUALIFY starting_mrr != COALESCE(LAG(ending_mrr) OVER (ORDER BY month), 0)
--   ends_with_the_active_subscriptions:
--     SELECT summary.month, summary.ending_mrr, summary.active_customers, SUM(steps.mrr) AS mrr
--     FROM marts.day06_mrr_summary AS summary
--     LEFT JOIN marts.subscription_steps AS steps
--     ON steps.start_date <= LAST_DAY(summary.month, MONTH)
--     AND COALESCE(steps.next_start_date > LAST_DAY(summary.month, MONTH), TRUE)
--     AND COALESCE(steps.churned_on > LAST_DAY(summary.month, MONTH), TRUE)
--     GROUP BY summary.month, summary.ending_mrr, summary.active_customers
--     HAVING COALESCE(SUM(steps.mrr), 0) != summary.ending_mrr OR COUNT(steps.mrr) != summary.active_customers
--   ends_with_what_customers_pay_now:
--     SELECT summary.ending_mrr, customers.mrr
--     FROM marts.day06_mrr_summary AS summary
--     CROSS JOIN (
--       SELECT COALESCE(SUM(mrr_current), 0) AS mrr FROM raw.day06_customers WHERE status = 'active'
--     ) AS customers
--     WHERE summary.month = (SELECT MAX(month) FROM marts.months) AND summary.ending_mrr != customers.mrr
--   shares_within_0_and_1:
--     SELECT month FROM marts.day06_mrr_summary
--     WHERE gross_revenue_retention NOT BETWEEN 0 AND 1 OR gross_revenue_retention > net_revenue_retention
--   signs:
--     SELECT month FROM marts.day06_mrr_summary
--     WHERE new_mrr < 0 OR expansion_mrr < 0 OR contraction_mrr > 0 OR churn_mrr > 0 OR active_customers < 0
WITH heads AS (
  SELECT month, SUM(heads) AS heads
  FROM (
    SELECT DATE_TRUNC(start_date, MONTH) AS month, 1 AS heads FROM marts.subscription_steps WHERE kind = 'new'
    UNION ALL
    SELECT DATE_TRUNC(churned_on, MONTH), -1 FROM marts.subscription_steps WHERE churned_on IS NOT NULL
  ) AS changes
  GROUP BY month
),
month_ends AS (
  SELECT months.month, steps.customer_id, SUM(steps.mrr) AS mrr
  FROM marts.months AS months
  INNER JOIN marts.subscription_steps AS steps
    ON steps.start_date <= months.last_day
    AND COALESCE(steps.next_start_date > months.last_day, TRUE)
    AND COALESCE(steps.churned_on > months.last_day, TRUE)
  GROUP BY months.month, steps.customer_id
),
kept AS (
  SELECT
    DATE_ADD(before.month, INTERVAL 1 MONTH) AS month,
    SUM(COALESCE(now.mrr, 0)) AS mrr,
    SUM(LEAST(COALESCE(now.mrr, 0), before.mrr)) AS steady_mrr
  FROM month_ends AS before
  LEFT JOIN month_ends AS now
    ON now.customer_id = before.customer_id AND now.month = DATE_ADD(before.month, INTERVAL 1 MONTH)
  WHERE before.mrr > 0
  GROUP BY before.month
),
running AS (
  SELECT
    movements.month,
    movements.new_mrr,
    movements.expansion_mrr,
    -movements.contraction_mrr AS contraction_mrr,
    -movements.churn_mrr AS churn_mrr,
    movements.net_mrr,
    SUM(movements.net_mrr) OVER (ORDER BY movements.month) AS ending_mrr,
    SUM(COALESCE(heads.heads, 0)) OVER (ORDER BY movements.month) AS active_customers
  FROM marts.mrr_movements AS movements
  LEFT JOIN heads ON heads.month = movements.month
)
SELECT
  running.month,
  running.ending_mrr - running.net_mrr AS starting_mrr,
  running.new_mrr,
  running.expansion_mrr,
  running.contraction_mrr,
  running.churn_mrr,
  running.net_mrr,
  running.ending_mrr,
  running.active_customers,
  CAST(running.net_mrr AS FLOAT64) / NULLIF(CAST(running.ending_mrr - running.net_mrr AS FLOAT64), 0) AS growth_rate,
  CAST(kept.mrr AS FLOAT64) / NULLIF(CAST(running.ending_mrr - running.net_mrr AS FLOAT64), 0)
    AS net_revenue_retention,
  CAST(kept.steady_mrr AS FLOAT64) / NULLIF(CAST(running.ending_mrr - running.net_mrr AS FLOAT64), 0)
    AS gross_revenue_retention
FROM running
LEFT JOIN kept ON kept.month = running.month
