-- Absolute and squared errors on the test's cut-off, which lies after every training row's window.
-- https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-evaluate
SELECT *
FROM ML.EVALUATE(MODEL marts.ltv_model, (SELECT * FROM marts.ltv_examples WHERE split = 'test'))
