-- question: How much did customers on a paid plan pay in the 180 days after a day?
-- grain: one row a customer on a paid plan and cut-off day
-- notes: The label alone; what was known on the day is marts.customer_snapshots' row of the same customer and
--   cut-off. The label's window is the 180 days after the cut-off. The split is by time: the last day is to be
--   scored, the cut-off 180 days before it is the test, and those of 360 days and more, whose windows had
--   closed by then, are for training. Cut-offs in between would know the test's future.
-- columns:
--   customer_id INT64: as in marts.customer_snapshots
--   cutoff_date DATE: as in marts.customer_snapshots
--   split STRING: train, test or score
--   value FLOAT64: the label: bills of the window that did not fail; NULL where split is score
-- tests:
--   one_row_a_customer_and_cutoff:
--     SELECT customer_id, cutoff_date FROM marts.ltv_examples
--     GROUP BY customer_id, cutoff_date HAVING COUNT(*) > 1
--   only_the_future_has_no_label:
--     SELECT * FROM marts.ltv_examples WHERE (split = 'score') != (value IS NULL)
--   training_lies_before_the_test:
--     SELECT * FROM marts.ltv_examples
--     WHERE split = 'train'
--     AND cutoff_date > (SELECT DATE_SUB(MIN(cutoff_date), INTERVAL 180 DAY) FROM marts.ltv_examples WHERE split = 'test')
--   no_negative_values:
--     SELECT * FROM marts.ltv_examples WHERE value < 0
WITH collected AS (
  SELECT snapshots.customer_id, snapshots.cutoff_date, SUM(billing.amount) AS value
  FROM marts.customer_snapshots AS snapshots
  INNER JOIN marts.staging_billing AS billing
    ON billing.customer_id = snapshots.customer_id
    AND billing.bill_date > snapshots.cutoff_date
    AND billing.bill_date <= DATE_ADD(snapshots.cutoff_date, INTERVAL 180 DAY)
  WHERE billing.payment_status != 'failed'
  GROUP BY snapshots.customer_id, snapshots.cutoff_date
)
SELECT
  snapshots.customer_id,
  snapshots.cutoff_date,
  CASE snapshots.days_back WHEN 0 THEN 'score' WHEN 180 THEN 'test' ELSE 'train' END AS split,
  IF(snapshots.days_back = 0, NULL, CAST(COALESCE(collected.value, 0) AS FLOAT64)) AS value
FROM marts.customer_snapshots AS snapshots
LEFT JOIN collected
  ON collected.customer_id = snapshots.customer_id AND collected.cutoff_date = snapshots.cutoff_date
WHERE snapshots.plan != 'Free' AND (snapshots.days_back IN (0, 180) OR snapshots.days_back >= 360)
