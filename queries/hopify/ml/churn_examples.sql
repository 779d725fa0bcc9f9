-- question: Which customers cancelled within the three months after a day, and what was known of them on it?
-- grain: one row a customer and cut-off day on which the customer was subscribed
-- notes: The label's window begins the day after the cut-off and ends with the next cut-off, so that windows
--   do not overlap and that of the latest training row closes before the test's cut-off. Nothing but the label
--   looks into it. The split is by time: the cut-off of today is to be scored, the one before it is the
--   test, all earlier ones are for training.
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
  SELECT
    later.cutoff_date AS window_end,
    snapshots.*
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
  snapshots.customer_id,
  snapshots.cutoff_date,
  CASE snapshots.months_back WHEN 0 THEN 'score' WHEN 3 THEN 'test' ELSE 'train' END AS split,
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
  IF(snapshots.months_back = 0, NULL, cancelled.customer_id IS NOT NULL) AS has_churned
FROM labelled AS snapshots
LEFT JOIN cancelled
  ON cancelled.customer_id = snapshots.customer_id AND cancelled.cutoff_date = snapshots.cutoff_date
