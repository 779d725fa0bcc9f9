-- question: How do visitors become customers on each channel, and what does a customer cost?
-- grain: one row a calendar month and channel
-- notes: A campaign's spend is spread evenly over its days, cents going to the later days, so that the
--   months add up to the spend; days after the as-of month are left out.
-- columns:
--   month DATE: first day of the month
--   channel STRING: acquisition channel
--   is_complete BOOL: whether the data reaches the month's end
--   visitors INT64: visitors in the month; NULL where traffic was not measured
--   leads INT64: visitors who left an address; NULL where not measured
--   mqls INT64: leads that marketing qualified; NULL where not measured
--   signups INT64: customers who signed up in the month
--   lead_rate FLOAT64: leads / visitors; NULL where not measured or nobody came
--   mql_rate FLOAT64: mqls / leads; NULL where not measured or there were none
--   win_rate FLOAT64: signups / mqls; above 1 where leads of earlier months sign up; NULL as above
--   spend NUMERIC(18, 2): campaign spend that falls on the month's days
--   signup_rate FLOAT64: signups / visitors; NULL where not measured or nobody came
--   cac FLOAT64: spend / signups; NULL where nobody signed up
-- tests:
--   one_row_a_month_and_channel:
--     SELECT month, channel FROM marts.funnel_by_channel GROUP BY month, channel HAVING COUNT(*) > 1
--   signups_sum_to_customers:
--     SELECT funnel.signups, raw_rows.customers
--     FROM (SELECT COALESCE(SUM(signups), 0) AS signups FROM marts.funnel_by_channel) AS funnel
--     CROSS JOIN (SELECT COUNT(*) AS customers FROM raw.customers) AS raw_rows
--     WHERE funnel.signups != raw_rows.customers
--   spend_lies_between_that_of_finished_and_all_campaigns:
--     SELECT funnel.spend, campaigns.finished, campaigns.total
--     FROM (SELECT COALESCE(SUM(spend), 0) AS spend FROM marts.funnel_by_channel) AS funnel
--     CROSS JOIN (
--       SELECT
--         COALESCE(SUM(IF(
--           starts_on >= (SELECT MIN(month) FROM marts.months) AND ends_on <= (SELECT MAX(as_of) FROM marts.months),
--           spend, 0)), 0) AS finished,
--         COALESCE(SUM(spend), 0) AS total
--       FROM raw.campaigns
--     ) AS campaigns
--     WHERE funnel.spend NOT BETWEEN campaigns.finished AND campaigns.total
--   narrows_downwards:
--     SELECT * FROM marts.funnel_by_channel WHERE visitors < leads OR leads < mqls
WITH channels AS (
  SELECT channel FROM raw.web_traffic
  UNION DISTINCT
  SELECT acquisition_source FROM raw.customers
  UNION DISTINCT
  SELECT channel FROM raw.campaigns
),
grid AS (
  SELECT months.month, months.is_complete, channels.channel
  FROM marts.months AS months
  CROSS JOIN channels
),
signups AS (
  SELECT DATE_TRUNC(signed_up_on, MONTH) AS month, acquisition_source AS channel, COUNT(*) AS signups
  FROM raw.customers
  GROUP BY month, channel
),
campaign_days AS (
  SELECT
    campaigns.channel,
    months.month,
    CAST(campaigns.spend * 100 AS INT64) AS cents,
    DATE_DIFF(campaigns.ends_on, campaigns.starts_on, DAY) + 1 AS days,
    DATE_DIFF(GREATEST(campaigns.starts_on, months.month), campaigns.starts_on, DAY) AS days_before,
    DATE_DIFF(LEAST(campaigns.ends_on, LAST_DAY(months.month, MONTH)), campaigns.starts_on, DAY) + 1 AS days_until
  FROM raw.campaigns AS campaigns
  INNER JOIN marts.months AS months
    ON campaigns.starts_on <= LAST_DAY(months.month, MONTH) AND campaigns.ends_on >= months.month
),
spending AS (
  SELECT
    channel,
    month,
    SUM(DIV(cents * days_until, days) - DIV(cents * days_before, days)) AS cents
  FROM campaign_days
  GROUP BY channel, month
)
SELECT
  grid.month,
  grid.channel,
  grid.is_complete,
  traffic.visitors,
  traffic.leads,
  traffic.mqls,
  COALESCE(signups.signups, 0) AS signups,
  traffic.leads / NULLIF(traffic.visitors, 0) AS lead_rate,
  traffic.mqls / NULLIF(traffic.leads, 0) AS mql_rate,
  COALESCE(signups.signups, 0) / NULLIF(traffic.mqls, 0) AS win_rate,
  CAST(COALESCE(spending.cents, 0) AS NUMERIC) * NUMERIC '0.01' AS spend,
  COALESCE(signups.signups, 0) / NULLIF(traffic.visitors, 0) AS signup_rate,
  CAST(COALESCE(spending.cents, 0) AS FLOAT64) / 100 / NULLIF(signups.signups, 0) AS cac
FROM grid
LEFT JOIN raw.web_traffic AS traffic ON traffic.month = grid.month AND traffic.channel = grid.channel
LEFT JOIN signups ON signups.month = grid.month AND signups.channel = grid.channel
LEFT JOIN spending ON spending.month = grid.month AND spending.channel = grid.channel
