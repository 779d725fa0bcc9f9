-- question: How much did customers pay in the twelve months after a day?
-- grain: one row a customer and cut-off day on which the customer was subscribed
-- notes: The label alone; what was known on the day is marts.customer_snapshots' row of the same customer and
--   cut-off. The label's window is the twelve months after the cut-off. The split is by time: the cut-off of today
--   is to be scored, the one of twelve months ago is the test, and those of two years ago and more, whose
--   windows had closed by then, are for training. Cut-offs in between would know the test's future.
-- columns:
--   customer_id INT64: as in marts.customer_snapshots
--   cutoff_date DATE: as in marts.customer_snapshots
--   split STRING: train, test or score
--   value FLOAT64: the label: amount paid and kept within the window; NULL where split is score
-- tests:
--   one_row_a_customer_and_cutoff:
--     SELECT customer_id, cutoff_date FROM marts.ltv_examples
--     GROUP BY customer_id, cutoff_date HAVING COUNT(*) > 1
--   only_the_future_has_no_label:
--     SELECT * FROM marts.ltv_examples WHERE (split = 'score') != (value IS NULL)
--   training_lies_a_year_before_the_test:
--     SELECT * FROM marts.ltv_examples
--     WHERE split = 'train'
--     AND cutoff_date > (SELECT DATE_SUB(MIN(cutoff_date), INTERVAL 12 MONTH) FROM marts.ltv_examples WHERE split = 'test')
--   no_negative_values:
--     SELECT * FROM marts.ltv_examples WHERE value < 0
WITH labelled AS (
  SELECT
    snapshots.customer_id,
    snapshots.cutoff_date,
    CASE
      WHEN snapshots.months_back = 0 THEN 'score' WHEN snapshots.months_back = 12 THEN 'test' ELSE 'train'
    END AS split,
    later.cutoff_date AS window_end
  FROM marts.customer_snapshots AS snapshots
  LEFT JOIN (SELECT DISTINCT cutoff_date, months_back FROM marts.customer_snapshots) AS later
    ON later.months_back = snapshots.months_back - 12
  WHERE snapshots.is_subscribed AND (snapshots.months_back IN (0, 12) OR snapshots.months_back >= 24)
),
collected AS (
  SELECT labelled.customer_id, labelled.cutoff_date, SUM(payments.amount) AS value
  FROM labelled
  INNER JOIN raw.orders AS orders ON orders.customer_id = labelled.customer_id
  INNER JOIN raw.payments AS payments ON payments.order_id = orders.order_id
  WHERE payments.status = 'succeeded'
    AND DATE(payments.paid_at) > labelled.cutoff_date
    AND DATE(payments.paid_at) <= labelled.window_end
  GROUP BY labelled.customer_id, labelled.cutoff_date
)
SELECT
  labelled.customer_id,
  labelled.cutoff_date,
  labelled.split,
  IF(labelled.split = 'score', NULL, CAST(COALESCE(collected.value, 0) AS FLOAT64)) AS value
FROM labelled
LEFT JOIN collected
  ON collected.customer_id = labelled.customer_id AND collected.cutoff_date = labelled.cutoff_date
