-- question: Which campaigns have paid for themselves?
-- grain: one row a campaign
-- notes: A campaign is credited with the customers whose campaign_id names it, and with all their succeeded
--   payments so far, so that an older campaign has had more time. The whole spend counts, also of a campaign
--   that still runs. Customers who came by the campaign's channel without naming it are not credited.
-- columns:
--   campaign_id INT64: raw.campaigns.campaign_id
--   name STRING: the campaign's name
--   channel STRING: its channel
--   campaign_type STRING: its kind
--   starts_on DATE: first day
--   ends_on DATE: last day
--   is_over BOOL: whether its last day lies before the as-of day or on it
--   spend NUMERIC(18, 2): what it costs
--   customers INT64: customers credited to it
--   active_customers INT64: those subscribed on the as-of day
--   cac FLOAT64: spend / customers; NULL where nobody came
--   revenue NUMERIC(18, 2): their succeeded payments so far
--   mrr NUMERIC(18, 2): their monthly recurring revenue on the as-of day
--   return_on_spend FLOAT64: revenue / spend; 1 has brought in what it cost; NULL for a campaign without cost
--   is_paid_back BOOL: whether revenue has reached spend
-- tests:
--   one_row_a_campaign:
--     SELECT campaigns.campaign_id FROM raw.campaigns AS campaigns
--     LEFT JOIN marts.campaign_return AS mart ON mart.campaign_id = campaigns.campaign_id
--     GROUP BY campaigns.campaign_id HAVING COUNT(mart.campaign_id) != 1
--   customers_sum_to_credited:
--     SELECT mart.customers, raw_rows.customers AS raw_customers
--     FROM (SELECT COALESCE(SUM(customers), 0) AS customers FROM marts.campaign_return) AS mart
--     CROSS JOIN (
--       SELECT COUNT(*) AS customers FROM raw.customers AS customers
--       INNER JOIN raw.campaigns AS campaigns ON campaigns.campaign_id = customers.campaign_id
--     ) AS raw_rows
--     WHERE mart.customers != raw_rows.customers
--   parts_within_the_whole:
--     SELECT * FROM marts.campaign_return WHERE active_customers > customers OR revenue < 0
WITH won AS (
  SELECT
    people.campaign_id,
    COUNT(*) AS customers,
    COUNTIF(value.is_active) AS active_customers,
    SUM(value.revenue) AS revenue,
    SUM(value.mrr) AS mrr
  FROM raw.customers AS people
  INNER JOIN marts.customer_value AS value ON value.customer_id = people.customer_id
  WHERE people.campaign_id IS NOT NULL
  GROUP BY people.campaign_id
)
SELECT
  campaigns.campaign_id,
  campaigns.name,
  campaigns.channel,
  campaigns.campaign_type,
  campaigns.starts_on,
  campaigns.ends_on,
  COALESCE(campaigns.ends_on <= data.as_of, FALSE) AS is_over,
  campaigns.spend,
  COALESCE(won.customers, 0) AS customers,
  COALESCE(won.active_customers, 0) AS active_customers,
  CAST(campaigns.spend AS FLOAT64) / won.customers AS cac,
  COALESCE(won.revenue, 0) AS revenue,
  COALESCE(won.mrr, 0) AS mrr,
  CAST(COALESCE(won.revenue, 0) AS FLOAT64) / NULLIF(CAST(campaigns.spend AS FLOAT64), 0) AS return_on_spend,
  COALESCE(won.revenue, 0) >= campaigns.spend AS is_paid_back
FROM raw.campaigns AS campaigns
CROSS JOIN (SELECT MAX(as_of) AS as_of FROM marts.months) AS data
LEFT JOIN won ON won.campaign_id = campaigns.campaign_id
