-- Boosted trees on the training rows; the split is made by time, so BigQuery makes none of its own.
-- https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-boosted-tree
CREATE OR REPLACE MODEL marts.ltv_model
OPTIONS (
  model_type = 'BOOSTED_TREE_REGRESSOR',
  input_label_cols = ['value'],
  data_split_method = 'NO_SPLIT',
  max_iterations = 100,
  learn_rate = 0.05,
  max_tree_depth = 5,
  enable_global_explain = TRUE
) AS
SELECT examples.value, features.* EXCEPT (customer_id, cutoff_date, months_back, is_subscribed)
FROM marts.ltv_examples AS examples
INNER JOIN marts.customer_snapshots AS features USING (customer_id, cutoff_date)
WHERE examples.split = 'train'
