-- question: Which group does each subscribed customer belong to?
-- grain: one row a customer subscribed on the as-of day
-- columns:
--   customer_id INT64: as in marts.customer_snapshots
--   cutoff_date DATE: the day the customer was looked at
--   cluster INT64: the group, from 1
--   distance FLOAT64: distance to the group's centre, in standard deviations
-- tests:
--   one_row_a_customer:
--     SELECT customer_id FROM marts.segments_predictions GROUP BY customer_id HAVING COUNT(*) > 1
--   clusters_count_from_1:
--     SELECT * FROM marts.segments_predictions WHERE NOT COALESCE(cluster >= 1 AND distance >= 0, FALSE)
--   everyone_has_one:
--     SELECT examples.customer_id FROM marts.segments_examples AS examples
--     LEFT JOIN marts.segments_predictions AS predictions ON predictions.customer_id = examples.customer_id
--     WHERE examples.split = 'score' AND predictions.customer_id IS NULL
SELECT
  customer_id,
  cutoff_date,
  CENTROID_ID AS cluster,
  (SELECT MIN(nearest.DISTANCE) FROM UNNEST(NEAREST_CENTROIDS_DISTANCE) AS nearest) AS distance
FROM ML.PREDICT(MODEL marts.segments_model, (SELECT * FROM marts.segments_examples WHERE split = 'score'))
