-- question: How much is going to be paid in each of the next six months?
-- grain: one row a calendar month after the last complete one
-- columns:
--   month DATE: first day of the month
--   predicted_revenue FLOAT64: payments expected to succeed in the month
--   lower_80 FLOAT64: lower end of the 80 % interval
--   upper_80 FLOAT64: upper end of the 80 % interval
-- tests:
--   one_row_a_month:
--     SELECT month FROM marts.forecast_predictions GROUP BY month HAVING COUNT(*) > 1
--   only_the_future:
--     SELECT * FROM marts.forecast_predictions WHERE month <= (SELECT MAX(month) FROM marts.forecast_examples)
--   intervals_hold_their_forecast:
--     SELECT * FROM marts.forecast_predictions
--     WHERE NOT COALESCE(predicted_revenue BETWEEN lower_80 AND upper_80, FALSE)
SELECT
  DATE(forecast_timestamp) AS month,
  forecast_value AS predicted_revenue,
  prediction_interval_lower_bound AS lower_80,
  prediction_interval_upper_bound AS upper_80
FROM ML.FORECAST(MODEL marts.forecast_model, STRUCT(6 AS horizon, 0.8 AS confidence_level))
