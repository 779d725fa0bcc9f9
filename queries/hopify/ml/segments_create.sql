-- Four clusters of standardised features, counts and amounts as logarithms, because few customers are very large.
-- Four is what the local twin finds by the silhouette on the generated world; put its number for other data.
-- https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-kmeans
CREATE OR REPLACE MODEL marts.segments_model
TRANSFORM (
  LN(1 + tenure_days) AS tenure_days,
  LN(1 + mrr) AS mrr,
  LN(1 + orders_90) AS orders_90,
  LN(1 + days_since_order) AS days_since_order,
  LN(1 + paid_90) AS paid_90,
  LN(1 + tickets_90) AS tickets_90,
  LN(1 + installs) AS installs
)
OPTIONS (
  model_type = 'KMEANS',
  num_clusters = 4,
  standardize_features = TRUE,
  kmeans_init_method = 'KMEANS++'
) AS
SELECT * EXCEPT (customer_id, cutoff_date, split, segment)
FROM marts.segments_examples
WHERE split = 'train'
