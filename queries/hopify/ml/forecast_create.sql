-- ARIMA with trend and yearly seasonality, chosen by BigQuery; six months ahead.
-- https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-time-series
CREATE OR REPLACE MODEL marts.forecast_model
OPTIONS (
  model_type = 'ARIMA_PLUS',
  time_series_timestamp_col = 'month',
  time_series_data_col = 'revenue',
  data_frequency = 'MONTHLY',
  seasonalities = ['YEARLY'],
  horizon = 6
) AS
SELECT month, revenue
FROM marts.forecast_examples
