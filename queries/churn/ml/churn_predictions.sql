-- question: How likely is each customer to stop using the product for the next 60 days?
-- grain: one row a customer who used the product in the last 60 days
-- columns:
--   customer_id INT64: as in marts.customer_snapshots
--   cutoff_date DATE: the day the prediction was made on
--   churn_probability FLOAT64: probability of no use in the 60 days after it, 0 to 1
--   risk_decile INT64: 1 for the tenth of customers most likely to leave, 10 for the least likely
-- tests:
--   one_row_a_customer:
--     SELECT customer_id FROM marts.churn_predictions GROUP BY customer_id HAVING COUNT(*) > 1
--   probabilities_within_0_and_1:
--     SELECT * FROM marts.churn_predictions WHERE NOT COALESCE(churn_probability BETWEEN 0 AND 1, FALSE)
--   everyone_is_scored:
--     SELECT examples.customer_id FROM marts.churn_examples AS examples
--     LEFT JOIN marts.churn_predictions AS predictions ON predictions.customer_id = examples.customer_id
--     WHERE examples.split = 'score' AND predictions.customer_id IS NULL
WITH scored AS (
  SELECT
    customer_id,
    cutoff_date,
    (SELECT prob FROM UNNEST(predicted_has_churned_probs) WHERE label) AS churn_probability
  FROM ML.PREDICT(MODEL marts.churn_model, (
    SELECT examples.*, features.* EXCEPT (customer_id, cutoff_date)
    FROM marts.churn_examples AS examples
    INNER JOIN marts.customer_snapshots AS features USING (customer_id, cutoff_date)
    WHERE examples.split = 'score'
  ))
)
SELECT
  customer_id,
  cutoff_date,
  churn_probability,
  NTILE(10) OVER (ORDER BY churn_probability DESC, customer_id) AS risk_decile
FROM scored
