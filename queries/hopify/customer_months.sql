-- question: Was a customer subscribed at the end of a month, and at what monthly price?
-- grain: one row a customer and calendar month, from the month of signup to the as-of month
-- notes: The base of retention, growth and recurring revenue. A month's state is read on one day,
--   marts.months.observed_on. A subscription covers a day from started_on up to, not including,
--   ended_on; so a customer who cancels on the first of a month still counts at the end of the month before.
-- columns:
--   month DATE: first day of the calendar month
--   customer_id INT64: raw.customers.customer_id
--   segment STRING: the customer's segment
--   signup_month DATE: first day of the month of signup
--   months_since INT64: months from signup_month to month; 0 in the month of signup
--   is_active BOOL: whether a subscription covers the day the month is read on
--   mrr NUMERIC(18, 2): monthly price of the subscriptions covering that day; 0 without any
--   was_active BOOL: is_active of the month before; FALSE in the month of signup
--   previous_mrr NUMERIC(18, 2): mrr of the month before; 0 in the month of signup
--   was_ever_active BOOL: whether is_active held in any earlier month
-- partition: month
-- cluster: customer_id
-- tests:
--   one_row_a_customer_and_month:
--     SELECT customer_id, month FROM marts.customer_months
--     GROUP BY customer_id, month HAVING COUNT(*) > 1
--   no_month_is_missing:
--     SELECT customer_id FROM marts.customer_months
--     GROUP BY customer_id HAVING MIN(months_since) != 0 OR MAX(months_since) + 1 != COUNT(*)
--   no_revenue_without_a_subscription:
--     SELECT * FROM marts.customer_months
--     WHERE mrr < 0 OR (NOT is_active AND mrr != 0) OR (NOT was_active AND previous_mrr != 0)
--     OR (was_active AND NOT was_ever_active)
--   every_customer_is_there:
--     SELECT customers.customer_id FROM raw.customers AS customers
--     LEFT JOIN marts.customer_months AS months
--     ON months.customer_id = customers.customer_id AND months.months_since = 0
--     WHERE months.customer_id IS NULL
WITH states AS (
  SELECT
    months.month,
    customers.customer_id,
    customers.segment,
    DATE_TRUNC(customers.signed_up_on, MONTH) AS signup_month,
    COUNT(subscriptions.subscription_id) > 0 AS is_active,
    COALESCE(SUM(subscriptions.monthly_price), 0) AS mrr
  FROM raw.customers AS customers
  INNER JOIN marts.months AS months
    ON months.month >= DATE_TRUNC(customers.signed_up_on, MONTH)
  LEFT JOIN raw.subscriptions AS subscriptions
    ON subscriptions.customer_id = customers.customer_id
    AND subscriptions.started_on <= months.observed_on
    AND (subscriptions.ended_on IS NULL OR subscriptions.ended_on > months.observed_on)
  GROUP BY months.month, customers.customer_id, customers.segment, customers.signed_up_on
)
SELECT
  month,
  customer_id,
  segment,
  signup_month,
  DATE_DIFF(month, signup_month, MONTH) AS months_since,
  is_active,
  mrr,
  COALESCE(LAG(is_active) OVER (PARTITION BY customer_id ORDER BY month), FALSE) AS was_active,
  COALESCE(LAG(mrr) OVER (PARTITION BY customer_id ORDER BY month), 0) AS previous_mrr,
  COALESCE(
    LOGICAL_OR(is_active) OVER (
      PARTITION BY customer_id ORDER BY month ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ),
    FALSE
  ) AS was_ever_active
FROM states
