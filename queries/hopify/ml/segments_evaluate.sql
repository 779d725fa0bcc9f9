-- The Davies-Bouldin index and the mean squared distance, on today's customers.
-- https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-evaluate
SELECT *
FROM ML.EVALUATE(MODEL marts.segments_model, (SELECT * FROM marts.segments_examples WHERE split = 'score'))
