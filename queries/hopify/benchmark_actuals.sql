-- question: Which of its targets does the company meet?
-- grain: one row a benchmark, which is a segment (or all), measure and period
-- notes: The actual value is marts.kpis' of the last whole month, which says how each measure is taken. A
--   benchmark of a measure that marts.kpis does not know has no actual value. Less is better for
--   logo_churn_rate, tickets_per_customer, ticket_resolution_hours and first_response_minutes.
-- columns:
--   segment STRING: the segment the target is for, or all
--   metric_name STRING: the measure
--   target_period STRING: monthly, annual or lifetime
--   month DATE: first day of the last whole month; NULL where there is none
--   target_value NUMERIC(18, 4): the target
--   actual FLOAT64: the measure's value; NULL where it has none
--   actual_year_before FLOAT64: its value twelve months before; NULL where it had none
--   attainment FLOAT64: actual / target_value; NULL where either is missing or the target is 0
--   is_less_better BOOL: whether the target is an upper limit
--   is_met BOOL: whether actual has reached the target, or stays within it; NULL without an actual value
-- tests:
--   one_row_a_benchmark:
--     SELECT mart.benchmarks, raw_rows.benchmarks AS raw_benchmarks
--     FROM (SELECT COUNT(*) AS benchmarks FROM marts.benchmark_actuals) AS mart
--     CROSS JOIN (SELECT COUNT(*) AS benchmarks FROM raw.benchmarks) AS raw_rows
--     WHERE mart.benchmarks != raw_rows.benchmarks
--   met_means_what_it_says:
--     SELECT * FROM marts.benchmark_actuals
--     WHERE is_met != IF(is_less_better, actual <= CAST(target_value AS FLOAT64), actual >= CAST(target_value AS FLOAT64))
--     OR (is_met IS NULL) != (actual IS NULL)
WITH latest AS (
  SELECT MAX(month) AS month FROM marts.months WHERE is_complete
),
compared AS (
  SELECT
    benchmarks.segment,
    benchmarks.metric_name,
    benchmarks.target_period,
    latest.month,
    benchmarks.target_value,
    CAST(benchmarks.target_value AS FLOAT64) AS target,
    now.actual,
    before.actual AS actual_year_before,
    benchmarks.metric_name
      IN ('logo_churn_rate', 'tickets_per_customer', 'ticket_resolution_hours', 'first_response_minutes')
      AS is_less_better
  FROM raw.benchmarks AS benchmarks
  CROSS JOIN latest
  LEFT JOIN marts.kpis AS now
    ON now.month = latest.month AND now.segment = benchmarks.segment
    AND now.metric_name = benchmarks.metric_name AND now.target_period = benchmarks.target_period
  LEFT JOIN marts.kpis AS before
    ON before.month = DATE_SUB(latest.month, INTERVAL 12 MONTH) AND before.segment = benchmarks.segment
    AND before.metric_name = benchmarks.metric_name AND before.target_period = benchmarks.target_period
)
SELECT
  segment,
  metric_name,
  target_period,
  month,
  target_value,
  actual,
  actual_year_before,
  actual / NULLIF(target, 0) AS attainment,
  is_less_better,
  IF(is_less_better, actual <= target, actual >= target) AS is_met
FROM compared
