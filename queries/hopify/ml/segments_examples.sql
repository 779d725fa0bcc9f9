-- question: What sets customers apart today, and half a year ago?
-- grain: one row a customer and cut-off day on which the customer was subscribed
-- notes: Half a year ago is for training, today is to be scored. Segment, the label sales gave the customer,
--   is no feature; clusters are compared with it. Who has not ordered yet counts as not having ordered
--   since signup.
-- columns:
--   customer_id INT64: as in marts.customer_snapshots
--   cutoff_date DATE: as in marts.customer_snapshots
--   split STRING: train or score
--   segment STRING: as in marts.customer_snapshots
--   tenure_days INT64: as in marts.customer_snapshots
--   mrr FLOAT64: as in marts.customer_snapshots
--   orders_90 INT64: as in marts.customer_snapshots
--   days_since_order INT64: days since the latest order; since signup without one
--   paid_90 FLOAT64: as in marts.customer_snapshots
--   tickets_90 INT64: as in marts.customer_snapshots
--   installs INT64: as in marts.customer_snapshots
-- tests:
--   one_row_a_customer_and_cutoff:
--     SELECT customer_id, cutoff_date FROM marts.segments_examples
--     GROUP BY customer_id, cutoff_date HAVING COUNT(*) > 1
SELECT
  customer_id,
  cutoff_date,
  IF(months_back = 0, 'score', 'train') AS split,
  segment,
  tenure_days,
  mrr,
  orders_90,
  COALESCE(days_since_order, tenure_days) AS days_since_order,
  paid_90,
  tickets_90,
  installs
FROM marts.customer_snapshots
WHERE is_subscribed AND months_back IN (0, 6)
