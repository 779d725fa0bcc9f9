-- question: Where are our products in use, and where is that growing?
-- grain: one row an office location and calendar month
-- notes: Days are UTC. An install counts as in use on a day from the day it was made up to, not including, the
--   day it was removed; a month's state is read on marts.months.observed_on. Installs outside the months of
--   the data are not counted as made or removed.
-- columns:
--   location_id INT64: raw.locations.location_id
--   region STRING: AMER, EMEA or APAC
--   country_code STRING: ISO 3166-1 alpha-2
--   city STRING: the office's city
--   month DATE: first day of the month
--   is_complete BOOL: whether the data reaches the month's end
--   installs INT64: installs made in the month
--   removals INT64: installs removed in the month
--   installed INT64: installs in use at the month's end
--   customers INT64: customers with an install in use at the month's end
--   share FLOAT64: installed / installed at all locations, 0 to 1; NULL where nothing is
-- tests:
--   one_row_a_location_and_month:
--     SELECT location_id, month FROM marts.installs_by_location GROUP BY location_id, month HAVING COUNT(*) > 1
--   installs_sum_to_app_installs:
--     SELECT mart.installs, raw_rows.installs AS raw_installs
--     FROM (SELECT COALESCE(SUM(installs), 0) AS installs FROM marts.installs_by_location) AS mart
--     CROSS JOIN (
--       SELECT COUNT(*) AS installs
--       FROM raw.app_installs AS installs
--       INNER JOIN raw.locations AS locations ON locations.location_id = installs.location_id
--       INNER JOIN marts.months AS months ON months.month = DATE_TRUNC(DATE(installs.installed_at), MONTH)
--     ) AS raw_rows
--     WHERE mart.installs != raw_rows.installs
--   shares_sum_to_1:
--     SELECT month FROM marts.installs_by_location GROUP BY month
--     HAVING ABS(SUM(share) - 1) > 0.000001 OR MIN(share) < 0
--   parts_within_the_whole:
--     SELECT * FROM marts.installs_by_location WHERE customers > installed
WITH installs AS (
  SELECT location_id, customer_id, install_id, DATE(installed_at) AS installed_on, DATE(removed_at) AS removed_on
  FROM raw.app_installs
),
made AS (
  SELECT location_id, DATE_TRUNC(installed_on, MONTH) AS month, COUNT(*) AS installs
  FROM installs
  GROUP BY location_id, month
),
removed AS (
  SELECT location_id, DATE_TRUNC(removed_on, MONTH) AS month, COUNT(*) AS removals
  FROM installs
  WHERE removed_on IS NOT NULL
  GROUP BY location_id, month
),
in_use AS (
  SELECT
    installs.location_id,
    months.month,
    COUNT(*) AS installed,
    COUNT(DISTINCT installs.customer_id) AS customers
  FROM installs
  INNER JOIN marts.months AS months
    ON installs.installed_on <= months.observed_on
    AND (installs.removed_on IS NULL OR installs.removed_on > months.observed_on)
  GROUP BY installs.location_id, months.month
)
SELECT
  locations.location_id,
  locations.region,
  locations.country_code,
  locations.city,
  months.month,
  months.is_complete,
  COALESCE(made.installs, 0) AS installs,
  COALESCE(removed.removals, 0) AS removals,
  COALESCE(in_use.installed, 0) AS installed,
  COALESCE(in_use.customers, 0) AS customers,
  COALESCE(in_use.installed, 0) / NULLIF(SUM(in_use.installed) OVER (PARTITION BY months.month), 0) AS share
FROM raw.locations AS locations
CROSS JOIN marts.months AS months
LEFT JOIN made ON made.location_id = locations.location_id AND made.month = months.month
LEFT JOIN removed ON removed.location_id = locations.location_id AND removed.month = months.month
LEFT JOIN in_use ON in_use.location_id = locations.location_id AND in_use.month = months.month
