-- question: How much did customers pay in the twelve months after a day, and what was known of them on it?
-- grain: one row a customer and cut-off day on which the customer was subscribed
-- notes: The label's window is the twelve months after the cut-off. The split is by time: the cut-off of today
--   is to be scored, the one of twelve months ago is the test, and those of two years ago and more, whose
--   windows had closed by then, are for training. Cut-offs in between would know the test's future.
-- columns:
--   customer_id INT64: as in marts.customer_snapshots
--   cutoff_date DATE: as in marts.customer_snapshots
--   split STRING: train, test or score
--   segment STRING: as in marts.customer_snapshots
--   acquisition_source STRING: as in marts.customer_snapshots
--   accepts_marketing BOOL: as in marts.customer_snapshots
--   tenure_days INT64: as in marts.customer_snapshots
--   plan_tier INT64: as in marts.customer_snapshots
--   mrr FLOAT64: as in marts.customer_snapshots
--   price_share FLOAT64: as in marts.customer_snapshots
--   days_on_plan INT64: as in marts.customer_snapshots
--   upgrades INT64: as in marts.customer_snapshots
--   downgrades INT64: as in marts.customer_snapshots
--   returns INT64: as in marts.customer_snapshots
--   orders INT64: as in marts.customer_snapshots
--   orders_90 INT64: as in marts.customer_snapshots
--   orders_previous_90 INT64: as in marts.customer_snapshots
--   days_since_order INT64: as in marts.customer_snapshots
--   coded_share FLOAT64: as in marts.customer_snapshots
--   paid FLOAT64: as in marts.customer_snapshots
--   paid_90 FLOAT64: as in marts.customer_snapshots
--   paid_previous_90 FLOAT64: as in marts.customer_snapshots
--   failed_payments_90 INT64: as in marts.customer_snapshots
--   tickets INT64: as in marts.customer_snapshots
--   tickets_90 INT64: as in marts.customer_snapshots
--   open_tickets INT64: as in marts.customer_snapshots
--   resolution_hours_90 FLOAT64: as in marts.customer_snapshots
--   satisfaction_90 FLOAT64: as in marts.customer_snapshots
--   installs INT64: as in marts.customer_snapshots
--   value FLOAT64: the label: amount paid and kept within the window; NULL where split is score
-- tests:
--   one_row_a_customer_and_cutoff:
--     SELECT customer_id, cutoff_date FROM marts.ltv_examples
--     GROUP BY customer_id, cutoff_date HAVING COUNT(*) > 1
--   only_the_future_has_no_label:
--     SELECT * FROM marts.ltv_examples WHERE (split = 'score') != (value IS NULL)
WITH labelled AS (
  SELECT
    CASE
      WHEN snapshots.months_back = 0 THEN 'score' WHEN snapshots.months_back = 12 THEN 'test' ELSE 'train'
    END AS split,
    later.cutoff_date AS window_end,
    snapshots.*
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
  snapshots.customer_id,
  snapshots.cutoff_date,
  snapshots.split,
  snapshots.segment,
  snapshots.acquisition_source,
  snapshots.accepts_marketing,
  snapshots.tenure_days,
  snapshots.plan_tier,
  snapshots.mrr,
  snapshots.price_share,
  snapshots.days_on_plan,
  snapshots.upgrades,
  snapshots.downgrades,
  snapshots.returns,
  snapshots.orders,
  snapshots.orders_90,
  snapshots.orders_previous_90,
  snapshots.days_since_order,
  snapshots.coded_share,
  snapshots.paid,
  snapshots.paid_90,
  snapshots.paid_previous_90,
  snapshots.failed_payments_90,
  snapshots.tickets,
  snapshots.tickets_90,
  snapshots.open_tickets,
  snapshots.resolution_hours_90,
  snapshots.satisfaction_90,
  snapshots.installs,
  IF(snapshots.split = 'score', NULL, CAST(COALESCE(collected.value, 0) AS FLOAT64)) AS value
FROM labelled AS snapshots
LEFT JOIN collected
  ON collected.customer_id = snapshots.customer_id AND collected.cutoff_date = snapshots.cutoff_date
