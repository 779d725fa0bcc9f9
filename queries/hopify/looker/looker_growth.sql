-- question: How do customers, recurring revenue and payments develop?
-- grain: one row a calendar month and segment that has customers
-- notes: Counts and amounts only, which a report may sum over any rows; rates are ratios of sums, and are
--   calculated fields of the report.
-- columns:
--   month DATE: first day of the month
--   is_complete BOOL: whether the data reaches the month's end
--   segment STRING: the customer's segment
--   signups INT64: customers who signed up in the month
--   active_start INT64: customers subscribed at the end of the month before
--   active_customers INT64: customers subscribed at the month's end
--   new_customers INT64: subscribed for the first time
--   reactivated_customers INT64: subscribed again after at least one month end without
--   churned_customers INT64: subscribed at the end of the month before and no longer
--   mrr_start NUMERIC(18, 2): MRR at the end of the month before
--   new_mrr NUMERIC(18, 2): from customers subscribed for the first time
--   expansion_mrr NUMERIC(18, 2): more from customers subscribed before and after
--   contraction_mrr NUMERIC(18, 2): less from customers subscribed before and after; at most 0
--   churned_mrr NUMERIC(18, 2): lost with customers no longer subscribed; at most 0
--   reactivated_mrr NUMERIC(18, 2): from customers who came back
--   mrr NUMERIC(18, 2): MRR at the month's end
--   orders INT64: orders placed in the month that were not cancelled
--   revenue NUMERIC(18, 2): payments that succeeded in the month and were not refunded
--   refunds NUMERIC(18, 2): payments of the month that were given back since
--   discounts NUMERIC(18, 2): amount taken off the month's orders by promo codes
--   failed_payments INT64: attempts to pay that failed in the month
--   paying_customers INT64: customers with a succeeded payment in the month
WITH counts AS (
  SELECT
    month,
    segment,
    COUNTIF(months_since = 0) AS signups,
    COUNTIF(was_active) AS active_start,
    COUNTIF(is_active) AS active_customers,
    COUNTIF(is_active AND NOT was_ever_active) AS new_customers,
    COUNTIF(is_active AND NOT was_active AND was_ever_active) AS reactivated_customers,
    COUNTIF(was_active AND NOT is_active) AS churned_customers,
    SUM(previous_mrr) AS mrr_start,
    SUM(IF(is_active AND NOT was_ever_active, mrr, 0)) AS new_mrr,
    SUM(IF(is_active AND was_active AND mrr > previous_mrr, mrr - previous_mrr, 0)) AS expansion_mrr,
    SUM(IF(is_active AND was_active AND mrr < previous_mrr, mrr - previous_mrr, 0)) AS contraction_mrr,
    SUM(IF(was_active AND NOT is_active, mrr - previous_mrr, 0)) AS churned_mrr,
    SUM(IF(is_active AND NOT was_active AND was_ever_active, mrr, 0)) AS reactivated_mrr,
    SUM(mrr) AS mrr
  FROM marts.customer_months
  GROUP BY month, segment
)
SELECT
  paid.month,
  paid.is_complete,
  paid.segment,
  COALESCE(counts.signups, 0) AS signups,
  COALESCE(counts.active_start, 0) AS active_start,
  COALESCE(counts.active_customers, 0) AS active_customers,
  COALESCE(counts.new_customers, 0) AS new_customers,
  COALESCE(counts.reactivated_customers, 0) AS reactivated_customers,
  COALESCE(counts.churned_customers, 0) AS churned_customers,
  COALESCE(counts.mrr_start, 0) AS mrr_start,
  COALESCE(counts.new_mrr, 0) AS new_mrr,
  COALESCE(counts.expansion_mrr, 0) AS expansion_mrr,
  COALESCE(counts.contraction_mrr, 0) AS contraction_mrr,
  COALESCE(counts.churned_mrr, 0) AS churned_mrr,
  COALESCE(counts.reactivated_mrr, 0) AS reactivated_mrr,
  COALESCE(counts.mrr, 0) AS mrr,
  paid.orders,
  paid.revenue,
  paid.refunds,
  paid.discounts,
  paid.failed_payments,
  paid.paying_customers
FROM marts.revenue_by_month AS paid
LEFT JOIN counts ON counts.month = paid.month AND counts.segment = paid.segment
