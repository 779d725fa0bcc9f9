-- question: Which customers stopped using the product in the 60 days after a day, and what was known of them on it?
-- grain: one row a customer and cut-off day in the 60 days before which the customer used the product
-- notes: The label's window is the 60 days after the cut-off and ends with the next one, so that windows do not
--   overlap and that of the latest training row closes before the test's cut-off. Nothing but the label looks
--   into it. The split is by time: the last day is to be scored, the cut-off before it is the test, all earlier
--   ones are for training.
-- columns:
--   customer_id INT64: as in marts.customer_snapshots
--   cutoff_date DATE: as in marts.customer_snapshots
--   split STRING: train, test or score
--   plan STRING: as in marts.customer_snapshots
--   region STRING: as in marts.customer_snapshots
--   tenure_days INT64: as in marts.customer_snapshots
--   active_days INT64: as in marts.customer_snapshots
--   active_days_30 INT64: as in marts.customer_snapshots
--   active_days_previous_30 INT64: as in marts.customer_snapshots
--   active_days_trend INT64: as in marts.customer_snapshots
--   active_share FLOAT64: as in marts.customer_snapshots
--   days_since_use INT64: as in marts.customer_snapshots
--   sessions_30 INT64: as in marts.customer_snapshots
--   usage_minutes_30 FLOAT64: as in marts.customer_snapshots
--   feature_events_30 INT64: as in marts.customer_snapshots
--   minutes_per_active_day FLOAT64: as in marts.customer_snapshots
--   events_per_session FLOAT64: as in marts.customer_snapshots
--   bills INT64: as in marts.customer_snapshots
--   amount_billed FLOAT64: as in marts.customer_snapshots
--   late_share FLOAT64: as in marts.customer_snapshots
--   failed_share FLOAT64: as in marts.customer_snapshots
--   failed_bills_90 INT64: as in marts.customer_snapshots
--   tickets INT64: as in marts.customer_snapshots
--   tickets_90 INT64: as in marts.customer_snapshots
--   urgent_share FLOAT64: as in marts.customer_snapshots
--   technical_share FLOAT64: as in marts.customer_snapshots
--   days_since_ticket INT64: as in marts.customer_snapshots
--   has_churned BOOL: the label: no use within the window; NULL where split is score
-- tests:
--   one_row_a_customer_and_cutoff:
--     SELECT customer_id, cutoff_date FROM marts.churn_examples
--     GROUP BY customer_id, cutoff_date HAVING COUNT(*) > 1
--   only_the_future_has_no_label:
--     SELECT * FROM marts.churn_examples WHERE (split = 'score') != (has_churned IS NULL)
--   training_lies_before_the_test:
--     SELECT * FROM marts.churn_examples
--     WHERE split = 'train' AND cutoff_date >= (SELECT MIN(cutoff_date) FROM marts.churn_examples WHERE split = 'test')
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
  snapshots.plan,
  snapshots.region,
  snapshots.tenure_days,
  snapshots.active_days,
  snapshots.active_days_30,
  snapshots.active_days_previous_30,
  snapshots.active_days_trend,
  snapshots.active_share,
  snapshots.days_since_use,
  snapshots.sessions_30,
  snapshots.usage_minutes_30,
  snapshots.feature_events_30,
  snapshots.minutes_per_active_day,
  snapshots.events_per_session,
  snapshots.bills,
  CAST(snapshots.amount_billed AS FLOAT64) AS amount_billed,
  snapshots.late_share,
  snapshots.failed_share,
  snapshots.failed_bills_90,
  snapshots.tickets,
  snapshots.tickets_90,
  snapshots.urgent_share,
  snapshots.technical_share,
  snapshots.days_since_ticket,
  IF(snapshots.days_back = 0, NULL, used_after.customer_id IS NULL) AS has_churned
FROM marts.customer_snapshots AS snapshots
LEFT JOIN used_after
  ON used_after.customer_id = snapshots.customer_id AND used_after.cutoff_date = snapshots.cutoff_date
WHERE snapshots.is_at_risk
