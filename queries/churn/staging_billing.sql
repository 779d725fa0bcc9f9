-- question: What was each customer billed, and was it paid?
-- grain: one row a customer and day of a bill
-- notes: Removed are bills of unknown customers or customers on the Free plan, dated before the
--   signup, without a positive amount or a known status, and repetitions of a customer's day, of
--   which the highest amount is kept. Mended are statuses in another case or with blanks around them.
-- columns:
--   customer_id INT64: marts.staging_customers.customer_id
--   bill_date DATE: day of the bill
--   amount NUMERIC(12, 2): US dollars
--   payment_status STRING: paid, late or failed
--   bill_number INT64: 1 for the customer's first bill
--   days_since_previous INT64: days since the customer's bill before; since signup for the first
--   is_after_gap BOOL: whether a bill seems to be missing before it: bills come about every 13 days, and 20 or more have passed
--   is_mended BOOL: whether the status was spelled otherwise in the source
-- tests:
--   one_row_a_customer_and_day:
--     SELECT customer_id, bill_date FROM marts.staging_billing
--     GROUP BY customer_id, bill_date HAVING COUNT(*) > 1
--   amounts_are_positive:
--     SELECT * FROM marts.staging_billing WHERE NOT amount > 0
--   bills_are_numbered_in_order:
--     SELECT customer_id FROM marts.staging_billing
--     GROUP BY customer_id HAVING MIN(bill_number) != 1 OR MAX(bill_number) != COUNT(*) OR MIN(days_since_previous) < 0
--   statuses_are_known:
--     SELECT * FROM marts.staging_billing WHERE payment_status NOT IN ('paid', 'late', 'failed')
WITH numbered AS (
  SELECT
    billing.customer_id,
    customers.signup_date,
    billing.bill_date,
    billing.amount,
    LOWER(TRIM(billing.payment_status)) AS payment_status,
    billing.payment_status AS given_status,
    ROW_NUMBER() OVER (
      PARTITION BY billing.customer_id, billing.bill_date ORDER BY billing.amount DESC, billing.payment_status
    ) AS place
  FROM raw.billing AS billing
  INNER JOIN marts.staging_customers AS customers ON customers.customer_id = billing.customer_id
  WHERE customers.is_paid
    AND billing.bill_date >= customers.signup_date
    AND billing.amount > 0
    AND LOWER(TRIM(billing.payment_status)) IN ('paid', 'late', 'failed')
),
kept AS (
  SELECT
    customer_id,
    bill_date,
    amount,
    payment_status,
    given_status,
    ROW_NUMBER() OVER history AS bill_number,
    DATE_DIFF(bill_date, COALESCE(LAG(bill_date) OVER history, signup_date), DAY) AS days_since_previous
  FROM numbered
  WHERE place = 1
  WINDOW history AS (PARTITION BY customer_id ORDER BY bill_date)
)
SELECT
  customer_id,
  bill_date,
  amount,
  payment_status,
  bill_number,
  days_since_previous,
  days_since_previous >= 20 AS is_after_gap,
  payment_status != given_status AS is_mended
FROM kept
