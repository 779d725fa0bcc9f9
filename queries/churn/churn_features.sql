-- question: Who will stop using the product, judging by what was known before?
-- grain: one row a customer who signed up on or before the cut-off day
-- notes: The features are marts.customer_snapshots' as of the cut-off 60 days before the last day of usage: each
--   looks at days up to and including it. The label looks at the 60 days after it: a customer without any
--   usage in them has churned. So nothing of the label's window leaks into the features. A model is trained
--   on rows with is_at_risk: who was not active in the 60 days before has already left.
-- columns:
--   customer_id INT64: marts.staging_customers.customer_id
--   cutoff_date DATE: the last day features know
--   plan STRING: Free, Basic, Pro or Enterprise
--   region STRING: NA, EU, APAC, LATAM or unknown
--   tenure_days INT64: days from signup to the cut-off
--   active_days INT64: days of use
--   active_days_30 INT64: days of use in the last 30 days
--   active_days_previous_30 INT64: days of use in the 30 days before those
--   active_days_trend INT64: active_days_30 - active_days_previous_30
--   active_share FLOAT64: active_days / (tenure_days + 1), 0 to 1
--   days_since_use INT64: days from the last day of use to the cut-off; NULL without any use
--   sessions_30 INT64: sessions in the last 30 days
--   usage_minutes_30 FLOAT64: minutes of use in the last 30 days
--   feature_events_30 INT64: uses of a feature in the last 30 days
--   minutes_per_active_day FLOAT64: mean minutes of a day of use; NULL without any use
--   events_per_session FLOAT64: feature events a session; NULL without any session
--   bills INT64: bills
--   amount_billed NUMERIC(18, 2): their sum, US dollars
--   late_share FLOAT64: share of bills paid late, 0 to 1; NULL without a bill
--   failed_share FLOAT64: share of bills whose payment failed, 0 to 1; NULL without a bill
--   failed_bills_90 INT64: bills of the last 90 days whose payment failed
--   tickets INT64: support tickets
--   tickets_90 INT64: support tickets of the last 90 days
--   urgent_share FLOAT64: share of tickets of high priority, 0 to 1; NULL without a ticket
--   technical_share FLOAT64: share of technical tickets, 0 to 1; NULL without a ticket
--   days_since_ticket INT64: days from the last ticket to the cut-off; NULL without a ticket
--   is_at_risk BOOL: whether the product was used in the 60 days that end with the cut-off
--   has_churned BOOL: the label: no use in the 60 days after the cut-off
-- tests:
--   one_row_a_customer:
--     SELECT customer_id FROM marts.churn_features GROUP BY customer_id HAVING COUNT(*) > 1
--   nothing_after_the_cutoff:
--     SELECT * FROM marts.churn_features
--     WHERE tenure_days < 0 OR days_since_use < 0 OR days_since_ticket < 0 OR active_days > tenure_days + 1
--   everyone_of_the_time_is_there:
--     SELECT customers.customer_id FROM marts.staging_customers AS customers
--     LEFT JOIN marts.churn_features AS features ON features.customer_id = customers.customer_id
--     WHERE features.customer_id IS NULL
--     AND customers.signup_date <= (SELECT MAX(cutoff_date) FROM marts.churn_features)
WITH used_after AS (
  SELECT DISTINCT usage.customer_id
  FROM marts.staging_usage_daily AS usage
  CROSS JOIN (SELECT MAX(cutoff_date) AS cutoff_date FROM marts.customer_snapshots WHERE days_back = 60) AS cutoff
  WHERE usage.usage_date > cutoff.cutoff_date
)
SELECT
  snapshots.* EXCEPT (days_back),
  used_after.customer_id IS NULL AS has_churned
FROM marts.customer_snapshots AS snapshots
LEFT JOIN used_after ON used_after.customer_id = snapshots.customer_id
WHERE snapshots.days_back = 60
