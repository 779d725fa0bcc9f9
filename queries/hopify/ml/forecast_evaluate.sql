-- The chosen order, its likelihood and information criterion. ARIMA_PLUS evaluates a forecast only against months
-- it was not given; the local twin's backtest over rolling origins is the evaluation to go by.
-- https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-arima-evaluate
SELECT *
FROM ML.ARIMA_EVALUATE(MODEL marts.forecast_model)
