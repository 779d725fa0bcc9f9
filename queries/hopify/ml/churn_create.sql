-- Logistic regression on the training rows, counts and amounts as logarithms; the split is made by time, so
-- BigQuery makes none of its own.
-- https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-glm
CREATE OR REPLACE MODEL marts.churn_model
TRANSFORM (
  * EXCEPT (
    tenure_days, mrr, days_on_plan, orders, orders_90, orders_previous_90, days_since_order, paid, paid_90,
    paid_previous_90, tickets, tickets_90, resolution_hours_90, installs
  ),
  LN(1 + tenure_days) AS tenure_days,
  LN(1 + mrr) AS mrr,
  LN(1 + days_on_plan) AS days_on_plan,
  LN(1 + orders) AS orders,
  LN(1 + orders_90) AS orders_90,
  LN(1 + orders_previous_90) AS orders_previous_90,
  LN(1 + days_since_order) AS days_since_order,
  LN(1 + paid) AS paid,
  LN(1 + paid_90) AS paid_90,
  LN(1 + paid_previous_90) AS paid_previous_90,
  LN(1 + tickets) AS tickets,
  LN(1 + tickets_90) AS tickets_90,
  LN(1 + resolution_hours_90) AS resolution_hours_90,
  LN(1 + installs) AS installs
)
OPTIONS (
  model_type = 'LOGISTIC_REG',
  input_label_cols = ['has_churned'],
  data_split_method = 'NO_SPLIT',
  l2_reg = 1.0,
  enable_global_explain = TRUE
) AS
SELECT examples.has_churned, features.* EXCEPT (customer_id, cutoff_date, months_back, is_subscribed)
FROM marts.churn_examples AS examples
INNER JOIN marts.customer_snapshots AS features USING (customer_id, cutoff_date)
WHERE examples.split = 'train'
