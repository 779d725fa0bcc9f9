-- question: How many customers of each signup month and segment have left, and mainly why?
-- grain: one row a signup month and segment
-- notes: Churned means at least one recorded churn event; a customer who came back is counted as
--   churned and as returned. The reason is the one of the customer's latest churn; of reasons equally
--   frequent the alphabetically first is the main one.
-- columns:
--   signup_month DATE: first day of the month of signup
--   segment STRING: the customer's segment
--   customers INT64: customers who signed up in the month
--   churned_customers INT64: those with at least one churn event
--   returned_customers INT64: those of the churned who are subscribed on the as-of day
--   churn_rate FLOAT64: churned_customers / customers, 0 to 1
--   average_days_to_churn FLOAT64: mean days from signup to a customer's first churn; NULL without churn
--   main_reason STRING: most frequent reason; NULL without churn
--   main_reason_customers INT64: churned customers with that reason
-- tests:
--   one_row_a_cohort_and_segment:
--     SELECT signup_month, segment FROM marts.churn_by_cohort GROUP BY signup_month, segment HAVING COUNT(*) > 1
--   shares_within_0_and_1:
--     SELECT * FROM marts.churn_by_cohort WHERE NOT COALESCE(churn_rate BETWEEN 0 AND 1, FALSE)
--   sizes_sum_to_customers:
--     SELECT cohorts.customers, raw_rows.customers AS raw_customers
--     FROM (SELECT COALESCE(SUM(customers), 0) AS customers FROM marts.churn_by_cohort) AS cohorts
--     CROSS JOIN (SELECT COUNT(*) AS customers FROM raw.customers) AS raw_rows
--     WHERE cohorts.customers != raw_rows.customers
--   parts_within_the_whole:
--     SELECT * FROM marts.churn_by_cohort
--     WHERE churned_customers > customers OR returned_customers > churned_customers
--     OR main_reason_customers > churned_customers
WITH churns AS (
  SELECT
    subscriptions.customer_id,
    events.reason,
    MIN(events.churned_on) OVER (PARTITION BY subscriptions.customer_id) AS first_churned_on,
    ROW_NUMBER() OVER (
      PARTITION BY subscriptions.customer_id ORDER BY events.churned_on DESC, events.churn_event_id DESC
    ) AS latest
  FROM raw.churn_events AS events
  INNER JOIN raw.subscriptions AS subscriptions ON subscriptions.subscription_id = events.subscription_id
),
state AS (
  SELECT DISTINCT subscriptions.customer_id
  FROM raw.subscriptions AS subscriptions
  CROSS JOIN (SELECT MAX(as_of) AS as_of FROM marts.months) AS data
  WHERE subscriptions.started_on <= data.as_of
    AND (subscriptions.ended_on IS NULL OR subscriptions.ended_on > data.as_of)
),
people AS (
  SELECT
    DATE_TRUNC(customers.signed_up_on, MONTH) AS signup_month,
    customers.segment,
    churns.reason,
    DATE_DIFF(churns.first_churned_on, customers.signed_up_on, DAY) AS days_to_churn,
    state.customer_id IS NOT NULL AS is_active
  FROM raw.customers AS customers
  LEFT JOIN churns ON churns.customer_id = customers.customer_id AND churns.latest = 1
  LEFT JOIN state ON state.customer_id = customers.customer_id
),
reasons AS (
  SELECT signup_month, segment, reason, COUNT(*) AS main_reason_customers
  FROM people
  WHERE reason IS NOT NULL
  GROUP BY signup_month, segment, reason
  QUALIFY ROW_NUMBER() OVER (PARTITION BY signup_month, segment ORDER BY COUNT(*) DESC, reason) = 1
),
cohorts AS (
  SELECT
    signup_month,
    segment,
    COUNT(*) AS customers,
    COUNT(reason) AS churned_customers,
    COUNTIF(reason IS NOT NULL AND is_active) AS returned_customers,
    AVG(days_to_churn) AS average_days_to_churn
  FROM people
  GROUP BY signup_month, segment
)
SELECT
  cohorts.signup_month,
  cohorts.segment,
  cohorts.customers,
  cohorts.churned_customers,
  cohorts.returned_customers,
  cohorts.churned_customers / cohorts.customers AS churn_rate,
  cohorts.average_days_to_churn,
  reasons.reason AS main_reason,
  COALESCE(reasons.main_reason_customers, 0) AS main_reason_customers
FROM cohorts
LEFT JOIN reasons ON reasons.signup_month = cohorts.signup_month AND reasons.segment = cohorts.segment
