-- question: What sets customers apart today, and 180 days ago?
-- grain: one row a customer and cut-off day in the 60 days before which the customer used the product
-- notes: 180 days ago is for training, today is to be scored. The plan is no feature; clusters are compared
--   with it.
-- columns:
--   customer_id INT64: as in marts.customer_snapshots
--   cutoff_date DATE: as in marts.customer_snapshots
--   split STRING: train or score
--   plan STRING: as in marts.customer_snapshots
--   tenure_days INT64: as in marts.customer_snapshots
--   active_days_30 INT64: as in marts.customer_snapshots
--   days_since_use INT64: as in marts.customer_snapshots
--   usage_minutes_30 FLOAT64: as in marts.customer_snapshots
--   amount_billed FLOAT64: as in marts.customer_snapshots
--   tickets_90 INT64: as in marts.customer_snapshots
-- tests:
--   one_row_a_customer_and_cutoff:
--     SELECT customer_id, cutoff_date FROM marts.segments_examples
--     GROUP BY customer_id, cutoff_date HAVING COUNT(*) > 1
SELECT
  customer_id,
  cutoff_date,
  IF(days_back = 0, 'score', 'train') AS split,
  plan,
  tenure_days,
  active_days_30,
  days_since_use,
  usage_minutes_30,
  CAST(amount_billed AS FLOAT64) AS amount_billed,
  tickets_90
FROM marts.customer_snapshots
WHERE is_at_risk AND days_back IN (0, 180)
