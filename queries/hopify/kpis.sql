-- question: How has the company done by each of its measures, month by month?
-- grain: one row a whole calendar month, segment (or all), measure and period it is taken over
-- notes: Segment all is taken over all customers, not the mean of segments. "monthly" is the month itself,
--   "annual" the twelve months that end with it (NULL before there are twelve), "lifetime" everything up to
--   its end. The measures, each by the name raw.benchmarks has for it:
--   monthly_revenue, annual_revenue: succeeded payments, in the month of the payment;
--   mrr: monthly recurring revenue at the month's end;
--   arpu: monthly_revenue / customers active at the month's end;
--   average_order_value: (items - discounts) / orders of the month that were not cancelled;
--   payment_success_rate: attempts of the month that did not fail / all attempts;
--   new_customers: signups;
--   logo_churn_rate: monthly, customers active at the end of the month before and no longer / those active then;
--   annual, the same against twelve months before;
--   nrr: revenue_retention.net_retention_year;
--   customer_ltv: succeeded payments up to the month's end / customers who signed up until then;
--   tickets_per_customer: cases opened in the month / customers active at its end;
--   ticket_resolution_hours: mean hours from opening to closing of the cases opened in the month and closed so far;
--   first_response_minutes: mean minutes to the first answer of the cases opened in the month and answered so far;
--   customer_satisfaction: mean answer, 1 to 5, about the cases opened in the month;
--   visitors, leads, mqls: web traffic of the month, for all only, as are
--   visitor_to_lead_rate: leads / visitors and lead_to_mql_rate: mqls / leads.
-- columns:
--   month DATE: first day of the month, or of the last month of the period
--   segment STRING: the customers' segment, or all
--   metric_name STRING: the measure
--   target_period STRING: monthly, annual or lifetime
--   actual FLOAT64: its value; NULL where there is nothing to divide by
-- tests:
--   one_row_a_measure:
--     SELECT month, segment, metric_name, target_period FROM marts.kpis
--     GROUP BY month, segment, metric_name, target_period HAVING COUNT(*) > 1
--   rates_within_0_and_1:
--     SELECT * FROM marts.kpis
--     WHERE metric_name IN ('payment_success_rate', 'logo_churn_rate', 'visitor_to_lead_rate', 'lead_to_mql_rate')
--     AND actual NOT BETWEEN 0 AND 1
--   nothing_is_negative:
--     SELECT * FROM marts.kpis WHERE actual < 0 AND metric_name != 'average_order_value'
--   revenue_agrees_with_the_years:
--     SELECT kpis.month, kpis.segment FROM marts.kpis AS kpis
--     INNER JOIN marts.kpis AS months
--     ON months.segment = kpis.segment AND months.metric_name = 'monthly_revenue'
--     AND months.month BETWEEN DATE_SUB(kpis.month, INTERVAL 11 MONTH) AND kpis.month
--     WHERE kpis.metric_name = 'annual_revenue'
--     GROUP BY kpis.month, kpis.segment, kpis.actual
--     HAVING ABS(SUM(months.actual) - kpis.actual) > 0.005
WITH money AS (
  SELECT
    paid.month,
    part AS segment,
    SUM(paid.revenue) AS revenue,
    SUM(paid.orders) AS orders,
    SUM(paid.order_value - paid.discounts) AS order_value,
    SUM(paid.payments) AS payments,
    SUM(paid.failed_payments) AS failed_payments,
    SUM(paid.active_customers) AS active_customers
  FROM marts.revenue_by_month AS paid
  CROSS JOIN UNNEST([paid.segment, 'all']) AS part
  WHERE paid.is_complete
  GROUP BY paid.month, part
),
lives AS (
  SELECT
    states.month,
    part AS segment,
    COUNTIF(states.months_since = 0) AS signups,
    SUM(states.mrr) AS mrr,
    COUNTIF(states.was_active) AS starts,
    COUNTIF(states.was_active AND NOT states.is_active) AS lost
  FROM marts.customer_months AS states
  CROSS JOIN UNNEST([states.segment, 'all']) AS part
  GROUP BY states.month, part
),
cases AS (
  SELECT
    DATE_TRUNC(DATE(tickets.opened_at), MONTH) AS month,
    part AS segment,
    COUNT(*) AS tickets,
    AVG(DATETIME_DIFF(tickets.closed_at, tickets.opened_at, SECOND)) / 3600 AS resolution_hours,
    AVG(tickets.first_response_minutes) AS first_response_minutes,
    AVG(tickets.satisfaction) AS satisfaction
  FROM raw.support_tickets AS tickets
  INNER JOIN raw.customers AS customers ON customers.customer_id = tickets.customer_id
  CROSS JOIN UNNEST([customers.segment, 'all']) AS part
  GROUP BY month, part
),
traffic AS (
  SELECT month, 'all' AS segment, SUM(visitors) AS visitors, SUM(leads) AS leads, SUM(mqls) AS mqls
  FROM raw.web_traffic
  GROUP BY month
),
running AS (
  SELECT
    money.month,
    money.segment,
    CAST(money.revenue AS FLOAT64) AS revenue,
    CAST(SUM(money.revenue) OVER year AS FLOAT64) AS revenue_year,
    CAST(SUM(money.revenue) OVER past AS FLOAT64) AS revenue_past,
    CAST(money.order_value AS FLOAT64) / NULLIF(money.orders, 0) AS order_value,
    1 - money.failed_payments / NULLIF(money.payments, 0) AS success_rate,
    money.active_customers,
    COALESCE(lives.signups, 0) AS signups,
    SUM(COALESCE(lives.signups, 0)) OVER year AS signups_year,
    SUM(COALESCE(lives.signups, 0)) OVER past AS signups_past,
    CAST(COALESCE(lives.mrr, 0) AS FLOAT64) AS mrr,
    lives.lost / NULLIF(lives.starts, 0) AS churn_rate,
    COUNT(*) OVER year = 12 AS is_year
  FROM money
  LEFT JOIN lives ON lives.month = money.month AND lives.segment = money.segment
  WINDOW
    year AS (PARTITION BY money.segment ORDER BY money.month ROWS BETWEEN 11 PRECEDING AND CURRENT ROW),
    past AS (PARTITION BY money.segment ORDER BY money.month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
measured AS (
  SELECT
    running.*,
    cases.tickets,
    cases.resolution_hours,
    cases.first_response_minutes,
    cases.satisfaction,
    traffic.visitors,
    traffic.leads,
    traffic.mqls,
    retention.net_retention_year,
    retention.logo_retention_year
  FROM running
  LEFT JOIN cases ON cases.month = running.month AND cases.segment = running.segment
  LEFT JOIN traffic ON traffic.month = running.month AND traffic.segment = running.segment
  LEFT JOIN marts.revenue_retention AS retention
    ON retention.month = running.month AND retention.segment = running.segment
)
SELECT month, segment, 'monthly_revenue' AS metric_name, 'monthly' AS target_period, revenue AS actual FROM measured
UNION ALL
SELECT month, segment, 'annual_revenue', 'annual', IF(is_year, revenue_year, NULL) FROM measured
UNION ALL
SELECT month, segment, 'mrr', 'monthly', mrr FROM measured
UNION ALL
SELECT month, segment, 'arpu', 'monthly', revenue / NULLIF(active_customers, 0) FROM measured
UNION ALL
SELECT month, segment, 'average_order_value', 'monthly', order_value FROM measured
UNION ALL
SELECT month, segment, 'payment_success_rate', 'monthly', success_rate FROM measured
UNION ALL
SELECT month, segment, 'new_customers', 'monthly', CAST(signups AS FLOAT64) FROM measured
UNION ALL
SELECT month, segment, 'new_customers', 'annual', CAST(IF(is_year, signups_year, NULL) AS FLOAT64) FROM measured
UNION ALL
SELECT month, segment, 'logo_churn_rate', 'monthly', churn_rate FROM measured
UNION ALL
SELECT month, segment, 'logo_churn_rate', 'annual', 1 - logo_retention_year FROM measured
UNION ALL
SELECT month, segment, 'nrr', 'annual', net_retention_year FROM measured
UNION ALL
SELECT month, segment, 'customer_ltv', 'lifetime', revenue_past / NULLIF(signups_past, 0) FROM measured
UNION ALL
SELECT month, segment, 'tickets_per_customer', 'monthly', COALESCE(tickets, 0) / NULLIF(active_customers, 0)
FROM measured
UNION ALL
SELECT month, segment, 'ticket_resolution_hours', 'monthly', resolution_hours FROM measured
UNION ALL
SELECT month, segment, 'first_response_minutes', 'monthly', first_response_minutes FROM measured
UNION ALL
SELECT month, segment, 'customer_satisfaction', 'monthly', satisfaction FROM measured
UNION ALL
SELECT month, segment, 'visitors', 'monthly', CAST(visitors AS FLOAT64) FROM measured WHERE segment = 'all'
UNION ALL
SELECT month, segment, 'leads', 'monthly', CAST(leads AS FLOAT64) FROM measured WHERE segment = 'all'
UNION ALL
SELECT month, segment, 'mqls', 'monthly', CAST(mqls AS FLOAT64) FROM measured WHERE segment = 'all'
UNION ALL
SELECT month, segment, 'visitor_to_lead_rate', 'monthly', leads / NULLIF(visitors, 0) FROM measured WHERE segment = 'all'
UNION ALL
SELECT month, segment, 'lead_to_mql_rate', 'monthly', mqls / NULLIF(leads, 0) FROM measured WHERE segment = 'all'
