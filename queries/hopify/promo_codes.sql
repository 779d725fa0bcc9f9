-- question: What do promo codes cost, and are the orders that use them larger than those that do not?
-- grain: one row a promo code
-- notes: Cancelled orders are left out; values are before discounts (see promo_codes_by_segment, of which these are
--   the sums). The uplift compares like with like: large companies use some codes more than small ones do, so each
--   segment's orders are held against that segment's orders without any code in the code's time, weighted by the
--   code's own orders. uplift_unadjusted compares over all segments at once and takes a different mix for an effect.
--   Neither says what the code caused: who uses one may have meant to order more.
-- columns:
--   code STRING: the promo code
--   percent_off NUMERIC(5, 2): discount in percent
--   valid_from DATE: first day on which it could be used
--   valid_to DATE: last day on which it could be used
--   orders INT64: orders that used it
--   customers INT64: customers who used it
--   new_customers INT64: those whose first order used it
--   order_value NUMERIC(18, 2): value of these orders before discounts
--   amount_off NUMERIC(18, 2): amount the code took off
--   revenue NUMERIC(18, 2): succeeded payments of these orders
--   compared_orders INT64: orders of segments that also ordered without a code in the code's time
--   average_order_value FLOAT64: order_value / orders; NULL without orders
--   average_order_value_without FLOAT64: what compared_orders would come to on average at their segments' means without a code; NULL without any
--   uplift FLOAT64: value of compared_orders / what they would come to without a code - 1; NULL where there are none, or that is 0
--   uplift_unadjusted FLOAT64: the same over all segments at once
-- tests:
--   one_row_a_code:
--     SELECT code FROM marts.promo_codes GROUP BY code HAVING COUNT(*) > 1
--   every_code_is_there:
--     SELECT mart.codes, raw_rows.codes AS raw_codes
--     FROM (SELECT COUNT(*) AS codes FROM marts.promo_codes) AS mart
--     CROSS JOIN (SELECT COUNT(*) AS codes FROM raw.discounts) AS raw_rows
--     WHERE mart.codes != raw_rows.codes
--   amounts_sum_to_order_discounts:
--     SELECT mart.amount_off, raw_rows.amount_off AS raw_amount_off
--     FROM (SELECT COALESCE(SUM(amount_off), 0) AS amount_off FROM marts.promo_codes) AS mart
--     CROSS JOIN (
--       SELECT COALESCE(SUM(used.amount_off), 0) AS amount_off
--       FROM raw.order_discounts AS used
--       INNER JOIN raw.orders AS orders ON orders.order_id = used.order_id
--       WHERE orders.status != 'cancelled'
--     ) AS raw_rows
--     WHERE mart.amount_off != raw_rows.amount_off
--   parts_within_the_whole:
--     SELECT * FROM marts.promo_codes
--     WHERE customers > orders OR new_customers > customers OR compared_orders > orders
--   uplift_lies_among_those_of_the_segments:
--     SELECT codes.code, codes.uplift, MIN(parts.uplift) AS least, MAX(parts.uplift) AS most
--     FROM marts.promo_codes AS codes
--     INNER JOIN marts.promo_codes_by_segment AS parts ON parts.code = codes.code
--     GROUP BY codes.code, codes.uplift
--     HAVING COUNTIF(parts.orders > 0 AND parts.average_order_value_without = 0) = 0
--     AND codes.uplift NOT BETWEEN MIN(parts.uplift) - 0.000001 AND MAX(parts.uplift) + 0.000001
WITH sums AS (
  SELECT
    discount_id,
    SUM(orders) AS orders,
    SUM(customers) AS customers,
    SUM(new_customers) AS new_customers,
    SUM(order_value) AS order_value,
    SUM(amount_off) AS amount_off,
    SUM(revenue) AS revenue,
    SUM(IF(orders_without > 0, orders, 0)) AS compared_orders,
    CAST(SUM(IF(orders_without > 0, order_value, 0)) AS FLOAT64) AS compared_value,
    SUM(orders * average_order_value_without) AS expected_value,
    CAST(SUM(order_value) AS FLOAT64) / NULLIF(SUM(orders), 0) AS average_order_value,
    CAST(SUM(order_value_without) AS FLOAT64) / NULLIF(SUM(orders_without), 0) AS average_unadjusted
  FROM marts.promo_codes_by_segment
  GROUP BY discount_id
)
SELECT
  discounts.code,
  discounts.percent_off,
  discounts.valid_from,
  discounts.valid_to,
  COALESCE(sums.orders, 0) AS orders,
  COALESCE(sums.customers, 0) AS customers,
  COALESCE(sums.new_customers, 0) AS new_customers,
  COALESCE(sums.order_value, 0) AS order_value,
  COALESCE(sums.amount_off, 0) AS amount_off,
  COALESCE(sums.revenue, 0) AS revenue,
  COALESCE(sums.compared_orders, 0) AS compared_orders,
  sums.average_order_value,
  sums.expected_value / NULLIF(sums.compared_orders, 0) AS average_order_value_without,
  sums.compared_value / NULLIF(sums.expected_value, 0) - 1 AS uplift,
  sums.average_order_value / NULLIF(sums.average_unadjusted, 0) - 1 AS uplift_unadjusted
FROM raw.discounts AS discounts
LEFT JOIN sums ON sums.discount_id = discounts.discount_id
