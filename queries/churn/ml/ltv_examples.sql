-- question: How much did customers on a paid plan pay in the 180 days after a day, and what was known of them on it?
-- grain: one row a customer on a paid plan and cut-off day
-- notes: The label's window is the 180 days after the cut-off. The split is by time: the last day is to be
--   scored, the cut-off 180 days before it is the test, and those of 360 days and more, whose windows had
--   closed by then, are for training. Cut-offs in between would know the test's future.
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
--   value FLOAT64: the label: bills of the window that did not fail; NULL where split is score
-- tests:
--   one_row_a_customer_and_cutoff:
--     SELECT customer_id, cutoff_date FROM marts.ltv_examples
--     GROUP BY customer_id, cutoff_date HAVING COUNT(*) > 1
--   only_the_future_has_no_label:
--     SELECT * FROM marts.ltv_examples WHERE (split = 'score') != (value IS NULL)
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
  IF(snapshots.days_back = 0, NULL, CAST(COALESCE(collected.value, 0) AS FLOAT64)) AS value
FROM marts.customer_snapshots AS snapshots
LEFT JOIN collected
  ON collected.customer_id = snapshots.customer_id AND collected.cutoff_date = snapshots.cutoff_date
WHERE snapshots.plan != 'Free' AND (snapshots.days_back IN (0, 180) OR snapshots.days_back >= 360)
