-- question: Which customers cancelled within the three months after a day?
-- grain: one row a customer and cut-off day on which the customer was subscribed
-- notes: The label alone; what was known on the day is marts.customer_snapshots' row of the same customer and
--   cut-off. The label's window begins the day after the cut-off and ends with the next cut-off, so that windows
--   do not overlap and that of the latest training row closes with the test's cut-off. The split is by time: the
--   cut-off of today is to be scored, the one before it is the test, all earlier ones are for training.
-- columns:
--   customer_id INT64: as in marts.customer_snapshots
--   cutoff_date DATE: as in marts.customer_snapshots
--   split STRING: train, test or score
--   has_churned BOOL: the label: whether a cancellation falls into the window; NULL where split is score
-- tests:
--   one_row_a_customer_and_cutoff:
--     SELECT customer_id, cutoff_date FROM marts.churn_examples
--     GROUP BY customer_id, cutoff_date HAVING COUNT(*) > 1
--   only_the_future_has_no_label:
--     SELECT * FROM marts.churn_examples WHERE (split = 'score') != (has_churned IS NULL)
--   training_lies_before_the_test:
--     SELECT * FROM marts.churn_examples
--     WHERE split = 'train' AND cutoff_date >= (SELECT MIN(cutoff_date) FROM marts.churn_examples WHERE split = 'test')
WITH labelled AS (
  SELECT snapshots.customer_id, snapshots.cutoff_date, snapshots.months_back, later.cutoff_date AS window_end
  FROM marts.customer_snapshots AS snapshots
  LEFT JOIN (SELECT DISTINCT cutoff_date, months_back FROM marts.customer_snapshots) AS later
    ON later.months_back = snapshots.months_back - 3
  WHERE snapshots.is_subscribed
),
cancelled AS (
  SELECT DISTINCT labelled.customer_id, labelled.cutoff_date
  FROM labelled
  INNER JOIN raw.subscriptions AS subscriptions ON subscriptions.customer_id = labelled.customer_id
  INNER JOIN raw.churn_events AS events ON events.subscription_id = subscriptions.subscription_id
  WHERE events.churned_on > labelled.cutoff_date AND events.churned_on <= labelled.window_end
)
SELECT
  labelled.customer_id,
  labelled.cutoff_date,
  CASE labelled.months_back WHEN 0 THEN 'score' WHEN 3 THEN 'test' ELSE 'train' END AS split,
  IF(labelled.months_back = 0, NULL, cancelled.customer_id IS NOT NULL) AS has_churned
FROM labelled
LEFT JOIN cancelled
  ON cancelled.customer_id = labelled.customer_id AND cancelled.cutoff_date = labelled.cutoff_date
