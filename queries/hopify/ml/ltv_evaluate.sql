-- Absolute and squared errors on the test's cut-off, which lies after every training row's window.
-- https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-evaluate
SELECT *
FROM ML.EVALUATE(MODEL marts.ltv_model, (
  SELECT examples.*, features.* EXCEPT (customer_id, cutoff_date)
  FROM marts.ltv_examples AS examples
  INNER JOIN marts.customer_snapshots AS features USING (customer_id, cutoff_date)
  WHERE examples.split = 'test'
))
