-- question: What has become of the revenue of the customers there were a month ago, and a year ago?
-- grain: one row a calendar month and segment that has customers, and one a month for all of them
-- notes: NRR (net revenue retention) is what the customers of then pay now against what they paid then:
--   expansion counts, new customers do not, and one who came back since counts with what it pays now.
--   GRR (gross revenue retention) counts no customer for more than it paid then. Both compare the ends of
--   two months. Columns of the year are NULL in the first twelve months.
-- columns:
--   month DATE: first day of the month
--   segment STRING: the customer's segment, or all
--   is_complete BOOL: whether the data reaches the month's end
--   mrr NUMERIC(18, 2): MRR at the month's end
--   mrr_month_before NUMERIC(18, 2): MRR at the end of the month before
--   net_retention_month FLOAT64: NRR over one month; NULL where mrr_month_before is 0
--   gross_retention_month FLOAT64: GRR over one month, 0 to 1; NULL where mrr_month_before is 0
--   mrr_year_before NUMERIC(18, 2): MRR at the end of the month twelve months before
--   net_retention_year FLOAT64: NRR over twelve months; NULL where mrr_year_before is 0
--   gross_retention_year FLOAT64: GRR over twelve months, 0 to 1; NULL where mrr_year_before is 0
--   customers_year_before INT64: customers active at the end of the month twelve months before
--   logo_retention_year FLOAT64: the share of them active at the month's end, 0 to 1; NULL where there were none
-- tests:
--   one_row_a_month_and_segment:
--     SELECT month, segment FROM marts.revenue_retention GROUP BY month, segment HAVING COUNT(*) > 1
--   all_is_the_waterfall:
--     SELECT waterfall.month, retention.mrr, waterfall.mrr_end, retention.mrr_month_before, waterfall.mrr_start
--     FROM marts.mrr_waterfall AS waterfall
--     LEFT JOIN marts.revenue_retention AS retention
--     ON retention.month = waterfall.month AND retention.segment = 'all'
--     WHERE COALESCE(retention.mrr, 0) != waterfall.mrr_end
--     OR COALESCE(retention.mrr_month_before, 0) != waterfall.mrr_start
--   segments_sum_to_all:
--     SELECT month FROM marts.revenue_retention GROUP BY month
--     HAVING SUM(IF(segment = 'all', -mrr, mrr)) != 0 OR SUM(IF(segment = 'all', -mrr_year_before, mrr_year_before)) != 0
--   shares_within_0_and_1:
--     SELECT * FROM marts.revenue_retention
--     WHERE gross_retention_month NOT BETWEEN 0 AND 1 OR gross_retention_year NOT BETWEEN 0 AND 1
--     OR logo_retention_year NOT BETWEEN 0 AND 1 OR gross_retention_year > net_retention_year
WITH states AS (
  SELECT
    month,
    segment,
    is_active,
    mrr,
    previous_mrr,
    COALESCE(LAG(mrr, 12) OVER life, 0) AS year_mrr,
    COALESCE(LAG(is_active, 12) OVER life, FALSE) AS was_active
  FROM marts.customer_months
  WINDOW life AS (PARTITION BY customer_id ORDER BY month)
),
sums AS (
  SELECT
    states.month,
    part AS segment,
    SUM(states.mrr) AS mrr,
    SUM(states.previous_mrr) AS mrr_month_before,
    SUM(IF(states.previous_mrr > 0, states.mrr, 0)) AS kept_month,
    SUM(LEAST(states.mrr, states.previous_mrr)) AS steady_month,
    SUM(states.year_mrr) AS mrr_year_before,
    SUM(IF(states.year_mrr > 0, states.mrr, 0)) AS kept_year,
    SUM(LEAST(states.mrr, states.year_mrr)) AS steady_year,
    COUNTIF(states.was_active) AS customers_year_before,
    COUNTIF(states.was_active AND states.is_active) AS customers_kept
  FROM states
  CROSS JOIN UNNEST([states.segment, 'all']) AS part
  GROUP BY states.month, part
)
SELECT
  sums.month,
  sums.segment,
  months.is_complete,
  sums.mrr,
  sums.mrr_month_before,
  CAST(sums.kept_month AS FLOAT64) / NULLIF(CAST(sums.mrr_month_before AS FLOAT64), 0) AS net_retention_month,
  CAST(sums.steady_month AS FLOAT64) / NULLIF(CAST(sums.mrr_month_before AS FLOAT64), 0) AS gross_retention_month,
  sums.mrr_year_before,
  CAST(sums.kept_year AS FLOAT64) / NULLIF(CAST(sums.mrr_year_before AS FLOAT64), 0) AS net_retention_year,
  CAST(sums.steady_year AS FLOAT64) / NULLIF(CAST(sums.mrr_year_before AS FLOAT64), 0) AS gross_retention_year,
  sums.customers_year_before,
  sums.customers_kept / NULLIF(sums.customers_year_before, 0) AS logo_retention_year
FROM sums
INNER JOIN marts.months AS months ON months.month = sums.month
