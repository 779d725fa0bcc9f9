-- question: Which step does each subscription mean for its customer's recurring revenue?
-- grain: one row a subscription
-- notes: The base of everything about recurring revenue. A customer's subscriptions follow one another by
--   start date: the first is new, a later one an expansion or a contraction by its price against the one
--   before. end_date is the last day covered. Only the end of a customer's last subscription is a churn;
--   the others end because the next one begins.
-- columns:
--   subscription_id STRING: raw.day06_subscriptions.subscription_id
--   customer_id STRING: raw.day06_customers.customer_id
--   plan_tier STRING: Starter, Pro or Enterprise
--   start_date DATE: first day covered
--   end_date DATE: last day covered; NULL while active
--   mrr NUMERIC(18, 2): price a month
--   previous_mrr NUMERIC(18, 2): price of the customer's subscription before; NULL for the first
--   kind STRING: new, expansion (a price as high as before counts as one) or contraction
--   next_start_date DATE: when the customer's next subscription begins; NULL for the last
--   churned_on DATE: the last day covered where no other subscription follows; NULL otherwise
-- tests:
--   one_row_a_subscription:
--     SELECT subscription_id FROM marts.subscription_steps GROUP BY subscription_id HAVING COUNT(*) > 1
--   every_subscription_is_there:
--     SELECT steps.subscriptions, raw_rows.subscriptions AS raw_subscriptions
--     FROM (SELECT COUNT(*) AS subscriptions FROM marts.subscription_steps) AS steps
--     CROSS JOIN (SELECT COUNT(*) AS subscriptions FROM raw.day06_subscriptions) AS raw_rows
--     WHERE steps.subscriptions != raw_rows.subscriptions
--   one_new_a_customer:
--     SELECT customer_id FROM marts.subscription_steps
--     GROUP BY customer_id HAVING COUNTIF(kind = 'new') != 1 OR COUNTIF(next_start_date IS NULL) != 1
WITH ordered AS (
  SELECT
    subscription_id,
    customer_id,
    plan_tier,
    start_date,
    end_date,
    mrr,
    LAG(mrr) OVER history AS previous_mrr,
    LEAD(start_date) OVER history AS next_start_date
  FROM raw.day06_subscriptions
  WINDOW history AS (PARTITION BY customer_id ORDER BY start_date, end_date IS NULL, end_date, subscription_id)
)
SELECT
  subscription_id,
  customer_id,
  plan_tier,
  start_date,
  end_date,
  mrr,
  previous_mrr,
  CASE WHEN previous_mrr IS NULL THEN 'new' WHEN mrr >= previous_mrr THEN 'expansion' ELSE 'contraction' END AS kind,
  next_start_date,
  IF(next_start_date IS NULL, end_date, NULL) AS churned_on
FROM ordered
