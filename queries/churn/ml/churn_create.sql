-- Logistic regression on the training rows, counts and amounts as logarithms; the split is made by time, so
-- BigQuery makes none of its own.
-- https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-glm
CREATE OR REPLACE MODEL marts.churn_model
TRANSFORM (
  * EXCEPT (
    tenure_days, active_days, active_days_30, active_days_previous_30, days_since_use, sessions_30,
    usage_minutes_30, feature_events_30, minutes_per_active_day, bills, amount_billed, tickets,
    days_since_ticket
  ),
  LN(1 + tenure_days) AS tenure_days,
  LN(1 + active_days) AS active_days,
  LN(1 + active_days_30) AS active_days_30,
  LN(1 + active_days_previous_30) AS active_days_previous_30,
  LN(1 + days_since_use) AS days_since_use,
  LN(1 + sessions_30) AS sessions_30,
  LN(1 + usage_minutes_30) AS usage_minutes_30,
  LN(1 + feature_events_30) AS feature_events_30,
  LN(1 + minutes_per_active_day) AS minutes_per_active_day,
  LN(1 + bills) AS bills,
  LN(1 + amount_billed) AS amount_billed,
  LN(1 + tickets) AS tickets,
  LN(1 + days_since_ticket) AS days_since_ticket
)
OPTIONS (
  model_type = 'LOGISTIC_REG',
  input_label_cols = ['has_churned'],
  data_split_method = 'NO_SPLIT',
  l2_reg = 1.0,
  enable_global_explain = TRUE
) AS
SELECT examples.has_churned, features.* EXCEPT (customer_id, cutoff_date, days_back, is_at_risk)
FROM marts.churn_examples AS examples
INNER JOIN marts.customer_snapshots AS features USING (customer_id, cutoff_date)
WHERE examples.split = 'train'
