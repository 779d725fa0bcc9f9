-- question: What did staging remove, mend and mark?
-- grain: one row a raw table
-- notes: The rules are in the notes of each table's staging query.
-- columns:
--   table_name STRING: the raw table
--   raw_rows INT64: rows in the source
--   staged_rows INT64: rows after staging
--   removed_rows INT64: rows staging left out
--   mended_rows INT64: rows staging kept with a corrected value
--   gaps INT64: for usage_daily the rows of marts.staging_gaps, for billing those with is_after_gap; NULL for the others
--   removed_share FLOAT64: removed_rows / raw_rows, 0 to 1; NULL for an empty table
--   mended_share FLOAT64: mended_rows / staged_rows, 0 to 1; NULL for an empty table
-- tests:
--   nothing_is_made_up:
--     SELECT * FROM marts.staging_quality WHERE removed_rows < 0 OR mended_rows > staged_rows
--   one_row_a_table:
--     SELECT COUNT(*) AS n FROM marts.staging_quality HAVING COUNT(*) != 4 OR COUNT(DISTINCT table_name) != 4
--   shares_within_0_and_1:
--     SELECT * FROM marts.staging_quality WHERE removed_share NOT BETWEEN 0 AND 1 OR mended_share NOT BETWEEN 0 AND 1
WITH counted AS (
  SELECT 'customers' AS table_name, (SELECT COUNT(*) FROM raw.customers) AS raw_rows,
    COUNT(*) AS staged_rows, COUNTIF(is_mended) AS mended_rows,
    CAST(NULL AS INT64) AS gaps
  FROM marts.staging_customers
  UNION ALL
  SELECT 'usage_daily' AS table_name, (SELECT COUNT(*) FROM raw.usage_daily) AS raw_rows,
    COUNT(*) AS staged_rows, COUNTIF(is_mended) AS mended_rows,
    (SELECT COUNT(*) FROM marts.staging_gaps) AS gaps
  FROM marts.staging_usage_daily
  UNION ALL
  SELECT 'billing' AS table_name, (SELECT COUNT(*) FROM raw.billing) AS raw_rows,
    COUNT(*) AS staged_rows, COUNTIF(is_mended) AS mended_rows,
    COUNTIF(is_after_gap) AS gaps
  FROM marts.staging_billing
  UNION ALL
  SELECT 'support' AS table_name, (SELECT COUNT(*) FROM raw.support) AS raw_rows,
    COUNT(*) AS staged_rows, COUNTIF(is_mended) AS mended_rows,
    CAST(NULL AS INT64) AS gaps
  FROM marts.staging_support
)
SELECT
  table_name,
  raw_rows,
  staged_rows,
  raw_rows - staged_rows AS removed_rows,
  mended_rows,
  gaps,
  SAFE_DIVIDE(raw_rows - staged_rows, raw_rows) AS removed_share,
  SAFE_DIVIDE(mended_rows, staged_rows) AS mended_share
FROM counted
