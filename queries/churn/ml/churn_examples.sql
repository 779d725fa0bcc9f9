-- question: Which customers stopped using the product in the 60 days after a day?
-- grain: one row a customer and cut-off day in the 60 days before which the customer used the product
-- notes: The label alone; what was known on the day is marts.customer_snapshots' row of the same customer and
--   cut-off. The label's window is the 60 days after the cut-off and ends with the next one, so that windows do not
--   overlap and that of the latest training row closes with the test's cut-off. The split is by time: the last day
--   is to be scored, the cut-off before it is the test, all earlier ones are for training.
-- columns:
--   customer_id INT64: as in marts.customer_snapshots
--   cutoff_date DATE: as in marts.customer_snapshots
--   split STRING: train, test or score
--   has_churned BOOL: the label: no use within the window; NULL where split is score
-- tests:
--   one_row_a_customer_and_cutoff:
--     SELECT customer_id, cutoff_date FROM marts.churn_examples
--     GROUP BY customer_id, cutoff_date HAVING COUNT(*) > 1
--   only_the_future_has_no_label:
--     SELECT * FROM marts.churn_examples WHERE (split = 'score') != (has_churned IS NULL)
--   training_lies_before_the_test:
--     SELECT * FROM marts.churn_examples
--     WHERE split = 'train'
--     AND cutoff_date > (SELECT DATE_SUB(MIN(cutoff_date), INTERVAL 60 DAY) FROM marts.churn_examples WHERE split = 'test')
--   the_test_agrees_with_churn_features:
--     SELECT examples.customer_id FROM marts.churn_examples AS examples
--     INNER JOIN marts.churn_features AS features
--     ON features.customer_id = examples.customer_id AND features.cutoff_date = examples.cutoff_date
--     WHERE features.has_churned != examples.has_churned OR NOT features.is_at_risk
WITH used_after AS (
  SELECT DISTINCT snapshots.customer_id, snapshots.cutoff_date
  FROM marts.customer_snapshots AS snapshots
  INNER JOIN marts.staging_usage_daily AS usage
    ON usage.customer_id = snapshots.customer_id
    AND usage.usage_date > snapshots.cutoff_date
    AND usage.usage_date <= DATE_ADD(snapshots.cutoff_date, INTERVAL 60 DAY)
)
SELECT
  snapshots.customer_id,
  snapshots.cutoff_date,
  CASE snapshots.days_back WHEN 0 THEN 'score' WHEN 60 THEN 'test' ELSE 'train' END AS split,
  IF(snapshots.days_back = 0, NULL, used_after.customer_id IS NULL) AS has_churned
FROM marts.customer_snapshots AS snapshots
LEFT JOIN used_after
  ON used_after.customer_id = snapshots.customer_id AND used_after.cutoff_date = snapshots.cutoff_date
WHERE snapshots.is_at_risk
