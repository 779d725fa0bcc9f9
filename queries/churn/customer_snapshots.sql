-- question: What was known of each customer on past days, and what is known today?
-- grain: one row a customer and cut-off day on or after the day of signup
-- notes: The one place of what models and marts know of a customer: churn_features and the models' examples put
--   what came of it beside these columns. Every value looks at days up to and including the cut-off, "last 30
--   days" are the 30 days that end with it. Cut-offs lie 60 days apart, back from the last day of usage for up to
--   five years, and begin 60 days after the first; the last day and the cut-off before it are always there. Plan
--   and region are taken as they are now, as the source keeps no history of them.
-- columns:
--   customer_id INT64: marts.staging_customers.customer_id
--   cutoff_date DATE: the last day the row knows of
--   days_back INT64: days from the cut-off to the last day of usage: 0, 60, 120 and so on
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
-- tests:
--   one_row_a_customer_and_cutoff:
--     SELECT customer_id, cutoff_date FROM marts.customer_snapshots
--     GROUP BY customer_id, cutoff_date HAVING COUNT(*) > 1
--   nothing_after_the_cutoff:
--     SELECT * FROM marts.customer_snapshots
--     WHERE tenure_days < 0 OR days_since_use < 0 OR days_since_ticket < 0 OR active_days > tenure_days + 1
--   everyone_is_there_today:
--     SELECT customers.customer_id FROM marts.staging_customers AS customers
--     LEFT JOIN marts.customer_snapshots AS snapshots
--     ON snapshots.customer_id = customers.customer_id AND snapshots.days_back = 0
--     WHERE snapshots.customer_id IS NULL
--     AND customers.signup_date <= (SELECT MAX(cutoff_date) FROM marts.customer_snapshots)
--   shares_within_0_and_1:
--     SELECT * FROM marts.customer_snapshots
--     WHERE active_share NOT BETWEEN 0 AND 1 OR late_share NOT BETWEEN 0 AND 1 OR failed_share NOT BETWEEN 0 AND 1
--     OR late_share + failed_share > 1.000001 OR urgent_share NOT BETWEEN 0 AND 1 OR technical_share NOT BETWEEN 0 AND 1
--   parts_within_the_whole:
--     SELECT * FROM marts.customer_snapshots
--     WHERE active_days_30 + active_days_previous_30 > active_days OR active_days_30 > 30
--     OR active_days_previous_30 > 30 OR failed_bills_90 > bills OR tickets_90 > tickets
--     OR is_at_risk != COALESCE(days_since_use < 60, FALSE)
WITH bounds AS (
  SELECT MAX(usage_date) AS as_of, DATE_ADD(MIN(usage_date), INTERVAL 60 DAY) AS earliest
  FROM marts.staging_usage_daily
),
cutoff AS (
  SELECT DATE_SUB(bounds.as_of, INTERVAL days_back DAY) AS cutoff_date, days_back
  FROM bounds
  CROSS JOIN UNNEST(GENERATE_ARRAY(0, 1800, 60)) AS days_back
  WHERE days_back <= 60 OR DATE_SUB(bounds.as_of, INTERVAL days_back DAY) >= bounds.earliest
),
people AS (
  SELECT
    customers.customer_id,
    customers.plan,
    customers.region,
    cutoff.cutoff_date,
    cutoff.days_back,
    DATE_DIFF(cutoff.cutoff_date, customers.signup_date, DAY) AS tenure_days
  FROM marts.staging_customers AS customers
  CROSS JOIN cutoff
  WHERE customers.signup_date <= cutoff.cutoff_date
),
usage_before AS (
  SELECT
    usage.customer_id,
    cutoff.cutoff_date,
    COUNT(*) AS active_days,
    COUNTIF(usage.usage_date > DATE_SUB(cutoff.cutoff_date, INTERVAL 30 DAY)) AS active_days_30,
    COUNTIF(
      usage.usage_date > DATE_SUB(cutoff.cutoff_date, INTERVAL 60 DAY)
      AND usage.usage_date <= DATE_SUB(cutoff.cutoff_date, INTERVAL 30 DAY)
    ) AS active_days_previous_30,
    MAX(usage.usage_date) AS last_use,
    SUM(usage.sessions) AS sessions,
    -- Minutes have one digit; rounded, their sum does not depend on the order of addition.
    ROUND(SUM(usage.usage_minutes), 1) AS usage_minutes,
    SUM(usage.feature_events) AS feature_events,
    SUM(IF(usage.usage_date > DATE_SUB(cutoff.cutoff_date, INTERVAL 30 DAY), usage.sessions, 0)) AS sessions_30,
    ROUND(
      SUM(IF(usage.usage_date > DATE_SUB(cutoff.cutoff_date, INTERVAL 30 DAY), usage.usage_minutes, 0)), 1
    ) AS usage_minutes_30,
    SUM(
      IF(usage.usage_date > DATE_SUB(cutoff.cutoff_date, INTERVAL 30 DAY), usage.feature_events, 0)
    ) AS feature_events_30
  FROM marts.staging_usage_daily AS usage
  CROSS JOIN cutoff
  WHERE usage.usage_date <= cutoff.cutoff_date
  GROUP BY usage.customer_id, cutoff.cutoff_date
),
bills_before AS (
  SELECT
    billing.customer_id,
    cutoff.cutoff_date,
    COUNT(*) AS bills,
    SUM(billing.amount) AS amount_billed,
    COUNTIF(billing.payment_status = 'late') AS late_bills,
    COUNTIF(billing.payment_status = 'failed') AS failed_bills,
    COUNTIF(
      billing.payment_status = 'failed' AND billing.bill_date > DATE_SUB(cutoff.cutoff_date, INTERVAL 90 DAY)
    ) AS failed_bills_90
  FROM marts.staging_billing AS billing
  CROSS JOIN cutoff
  WHERE billing.bill_date <= cutoff.cutoff_date
  GROUP BY billing.customer_id, cutoff.cutoff_date
),
tickets_before AS (
  SELECT
    support.customer_id,
    cutoff.cutoff_date,
    COUNT(*) AS tickets,
    COUNTIF(support.ticket_date > DATE_SUB(cutoff.cutoff_date, INTERVAL 90 DAY)) AS tickets_90,
    COUNTIF(support.priority = 'high') AS urgent_tickets,
    COUNTIF(support.category = 'technical') AS technical_tickets,
    MAX(support.ticket_date) AS last_ticket
  FROM marts.staging_support AS support
  CROSS JOIN cutoff
  WHERE support.ticket_date <= cutoff.cutoff_date
  GROUP BY support.customer_id, cutoff.cutoff_date
)
SELECT
  people.customer_id,
  people.cutoff_date,
  people.days_back,
  people.plan,
  people.region,
  people.tenure_days,
  COALESCE(usage.active_days, 0) AS active_days,
  COALESCE(usage.active_days_30, 0) AS active_days_30,
  COALESCE(usage.active_days_previous_30, 0) AS active_days_previous_30,
  COALESCE(usage.active_days_30 - usage.active_days_previous_30, 0) AS active_days_trend,
  COALESCE(usage.active_days, 0) / (people.tenure_days + 1) AS active_share,
  DATE_DIFF(people.cutoff_date, usage.last_use, DAY) AS days_since_use,
  COALESCE(usage.sessions_30, 0) AS sessions_30,
  COALESCE(usage.usage_minutes_30, 0) AS usage_minutes_30,
  COALESCE(usage.feature_events_30, 0) AS feature_events_30,
  SAFE_DIVIDE(usage.usage_minutes, usage.active_days) AS minutes_per_active_day,
  SAFE_DIVIDE(usage.feature_events, usage.sessions) AS events_per_session,
  COALESCE(bills.bills, 0) AS bills,
  COALESCE(bills.amount_billed, 0) AS amount_billed,
  SAFE_DIVIDE(bills.late_bills, bills.bills) AS late_share,
  SAFE_DIVIDE(bills.failed_bills, bills.bills) AS failed_share,
  COALESCE(bills.failed_bills_90, 0) AS failed_bills_90,
  COALESCE(tickets.tickets, 0) AS tickets,
  COALESCE(tickets.tickets_90, 0) AS tickets_90,
  SAFE_DIVIDE(tickets.urgent_tickets, tickets.tickets) AS urgent_share,
  SAFE_DIVIDE(tickets.technical_tickets, tickets.tickets) AS technical_share,
  DATE_DIFF(people.cutoff_date, tickets.last_ticket, DAY) AS days_since_ticket,
  COALESCE(usage.last_use > DATE_SUB(people.cutoff_date, INTERVAL 60 DAY), FALSE) AS is_at_risk
FROM people
LEFT JOIN usage_before AS usage ON usage.customer_id = people.customer_id AND usage.cutoff_date = people.cutoff_date
LEFT JOIN bills_before AS bills ON bills.customer_id = people.customer_id AND bills.cutoff_date = people.cutoff_date
LEFT JOIN tickets_before AS tickets
  ON tickets.customer_id = people.customer_id AND tickets.cutoff_date = people.cutoff_date
