-- question: What is each customer worth against what it cost, and how well is it doing?
-- grain: one row a customer
-- notes: A month is 365.25 / 12 days. The numbers in capitals below are columns of marts.assumptions.
--   LTV: revenue so far, and for an active customer its price for the expected_months to come. Those are
--   1 / monthly churn rate of its tier, at most LONGEST_STAY_MONTHS: months lived by all customers of that tier /
--   those of them who have left.
--   CAC: the data holds no marketing spend, so this is an assumption, not a measurement: PAYBACK_MONTHS times the
--   mean first price of customers who began on the same tier.
--   Score, 0 to 100, 0 for who has left:
--   40 * tenure + 30 * growth + 30 * value, where
--   tenure = months lived / FULL_TENURE_MONTHS, at most 1;
--   growth = 1 if the price is higher than the first, 0.5 if it is the same, 0 if it is lower;
--   value = LTV / CAC / FULL_LTV_TO_CAC, at most 1.
--   Health: none; churned; healthy from 70 on; stable from 40 on; at risk below.
-- columns:
--   customer_id STRING: raw.day06_customers.customer_id
--   email STRING: the customer's address
--   plan_tier STRING: the present tier, or the last one
--   status STRING: active, churned, or none for a customer who never subscribed
--   signup_date DATE: day of signup
--   tenure_months FLOAT64: months from signup to the last day covered, or the as-of day
--   first_mrr NUMERIC(18, 2): first monthly price
--   mrr NUMERIC(18, 2): present monthly price; 0 for who has left
--   upgrades INT64: changes to a higher price
--   downgrades INT64: changes to a lower price
--   revenue FLOAT64: monthly prices over the days covered so far
--   expected_months FLOAT64: months still to come; 0 for who has left
--   ltv FLOAT64: revenue + mrr * expected_months
--   cac FLOAT64: assumed cost of winning the customer
--   ltv_to_cac FLOAT64: ltv / cac; NULL without a cac
--   score FLOAT64: 0 to 100
--   health STRING: healthy, stable, at risk, churned or none
-- tests:
--   one_row_a_customer:
--     SELECT customer_id FROM marts.day06_customer_health GROUP BY customer_id HAVING COUNT(*) > 1
--   every_customer_is_there:
--     SELECT health.customers, raw_rows.customers AS raw_customers
--     FROM (SELECT COUNT(*) AS customers FROM marts.day06_customer_health) AS health
--     CROSS JOIN (SELECT COUNT(*) AS customers FROM raw.day06_customers) AS raw_rows
--     WHERE health.customers != raw_rows.customers
--   scores_within_0_and_100:
--     SELECT customer_id, score FROM marts.day06_customer_health WHERE NOT COALESCE(score BETWEEN 0 AND 100, FALSE)
--   who_left_has_no_future:
--     SELECT customer_id FROM marts.day06_customer_health
--     WHERE (status = 'active') != (health IN ('healthy', 'stable', 'at risk'))
--     OR status != 'active' AND (status != health OR mrr != 0 OR score != 0 OR expected_months != 0)
--   mrr_agrees_with_the_summary:
--     SELECT health.mrr, summary.ending_mrr
--     FROM (SELECT COALESCE(SUM(mrr), 0) AS mrr FROM marts.day06_customer_health) AS health
--     CROSS JOIN marts.day06_mrr_summary AS summary
--     WHERE summary.month = (SELECT MAX(month) FROM marts.months) AND health.mrr != summary.ending_mrr
WITH data AS (
  SELECT MAX(as_of) AS as_of FROM marts.months
),
histories AS (
  SELECT
    steps.customer_id,
    MAX(IF(steps.kind = 'new', steps.plan_tier, NULL)) AS first_tier,
    MAX(IF(steps.kind = 'new', steps.mrr, NULL)) AS first_mrr,
    MAX(IF(steps.next_start_date IS NULL, steps.mrr, NULL)) AS last_mrr,
    MAX(steps.churned_on) AS churned_on,
    COUNTIF(steps.mrr > steps.previous_mrr) AS upgrades,
    COUNTIF(steps.kind = 'contraction') AS downgrades,
    SUM(
      CAST(steps.mrr AS FLOAT64)
      * GREATEST(DATE_DIFF(LEAST(COALESCE(steps.end_date, data.as_of), data.as_of), steps.start_date, DAY) + 1, 0)
      * 12 / 365.25
    ) AS revenue
  FROM marts.subscription_steps AS steps
  CROSS JOIN data
  GROUP BY steps.customer_id
),
people AS (
  SELECT
    customers.customer_id,
    customers.email,
    customers.plan_tier,
    customers.signup_date,
    histories.first_tier,
    histories.first_mrr,
    histories.last_mrr,
    histories.upgrades,
    histories.downgrades,
    histories.revenue,
    histories.last_mrr IS NOT NULL AND histories.churned_on IS NULL AS is_active,
    (DATE_DIFF(COALESCE(histories.churned_on, data.as_of), customers.signup_date, DAY) + 1) * 12 / 365.25
      AS tenure_months
  FROM raw.day06_customers AS customers
  CROSS JOIN data
  LEFT JOIN histories ON histories.customer_id = customers.customer_id
),
churn AS (
  SELECT plan_tier, SUM(tenure_months) / NULLIF(COUNTIF(NOT is_active), 0) AS stay_months
  FROM people
  GROUP BY plan_tier
),
costs AS (
  SELECT first_tier, AVG(CAST(first_mrr AS FLOAT64)) AS first_mrr
  FROM people
  GROUP BY first_tier
),
expected AS (
  SELECT
    people.*,
    assumed.full_tenure_months,
    assumed.full_ltv_to_cac,
    LEAST(COALESCE(churn.stay_months, assumed.longest_stay_months), assumed.longest_stay_months) AS stay_months,
    costs.first_mrr * assumed.payback_months AS cac
  FROM people
  CROSS JOIN marts.assumptions AS assumed
  INNER JOIN churn ON churn.plan_tier = people.plan_tier
  LEFT JOIN costs ON costs.first_tier = people.first_tier
),
valued AS (
  SELECT
    *,
    IF(is_active, stay_months, 0) AS expected_months,
    COALESCE(revenue, 0) + IF(is_active, CAST(last_mrr AS FLOAT64) * stay_months, 0) AS ltv
  FROM expected
),
scored AS (
  SELECT
    *,
    IF(
      is_active,
      40 * LEAST(tenure_months / full_tenure_months, 1)
      + 30 * CASE WHEN last_mrr > first_mrr THEN 1 WHEN last_mrr = first_mrr THEN 0.5 ELSE 0 END
      + 30 * LEAST(COALESCE(ltv / NULLIF(cac, 0), 0) / full_ltv_to_cac, 1),
      0
    ) AS score
  FROM valued
)
SELECT
  customer_id,
  email,
  plan_tier,
  CASE WHEN is_active THEN 'active' WHEN first_mrr IS NULL THEN 'none' ELSE 'churned' END AS status,
  signup_date,
  tenure_months,
  COALESCE(first_mrr, 0) AS first_mrr,
  IF(is_active, last_mrr, 0) AS mrr,
  COALESCE(upgrades, 0) AS upgrades,
  COALESCE(downgrades, 0) AS downgrades,
  COALESCE(revenue, 0) AS revenue,
  expected_months,
  ltv,
  cac,
  ltv / NULLIF(cac, 0) AS ltv_to_cac,
  score,
  CASE
    WHEN first_mrr IS NULL THEN 'none'
    WHEN NOT is_active THEN 'churned'
    WHEN score >= 70 THEN 'healthy'
    WHEN score >= 40 THEN 'stable'
    ELSE 'at risk'
  END AS health
FROM scored
