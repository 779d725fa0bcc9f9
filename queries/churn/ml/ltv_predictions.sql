-- question: How much is each customer on a paid plan going to pay in the next 180 days?
-- grain: one row a customer on a paid plan
-- columns:
--   customer_id INT64: as in marts.customer_snapshots
--   cutoff_date DATE: the day the prediction was made on
--   predicted_value FLOAT64: amount expected in the 180 days after it, at least 0
--   value_decile INT64: 1 for the tenth of customers expected to pay most, 10 for the least
-- tests:
--   one_row_a_customer:
--     SELECT customer_id FROM marts.ltv_predictions GROUP BY customer_id HAVING COUNT(*) > 1
--   no_negative_values:
--     SELECT * FROM marts.ltv_predictions WHERE NOT COALESCE(predicted_value >= 0, FALSE)
--   everyone_is_scored:
--     SELECT examples.customer_id FROM marts.ltv_examples AS examples
--     LEFT JOIN marts.ltv_predictions AS predictions ON predictions.customer_id = examples.customer_id
--     WHERE examples.split = 'score' AND predictions.customer_id IS NULL
SELECT
  customer_id,
  cutoff_date,
  GREATEST(predicted_value, 0) AS predicted_value,
  NTILE(10) OVER (ORDER BY GREATEST(predicted_value, 0) DESC, customer_id) AS value_decile
FROM ML.PREDICT(MODEL marts.ltv_model, (
  SELECT examples.*, features.* EXCEPT (customer_id, cutoff_date)
  FROM marts.ltv_examples AS examples
  INNER JOIN marts.customer_snapshots AS features USING (customer_id, cutoff_date)
  WHERE examples.split = 'score'
))
