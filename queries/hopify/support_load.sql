-- question: How many support cases come in, and how fast are they resolved?
-- grain: one row a calendar month of opening and segment that has customers
-- notes: The service level asks that a case be closed within 8 hours (urgent), 24 (high), 72 (medium)
--   or 120 (low). An open case counts as missed once that time is over at the end of the as-of day, and
--   is not counted before. Times run on the clock, nights and weekends included.
-- columns:
--   month DATE: first day of the month in which the cases were opened
--   segment STRING: the customer's segment
--   is_complete BOOL: whether the data reaches the month's end
--   tickets INT64: cases opened
--   closed_tickets INT64: those of them closed so far
--   median_resolution_hours FLOAT64: median hours from opening to closing; NULL where none is closed
--   average_resolution_hours FLOAT64: mean hours from opening to closing; NULL where none is closed
--   average_first_response_minutes FLOAT64: mean minutes to the first answer; NULL where none was given
--   due_tickets INT64: cases closed, or open beyond their service level
--   within_sla_tickets INT64: cases closed within their service level
--   sla_share FLOAT64: within_sla_tickets / due_tickets, 0 to 1; NULL where none is due
--   average_satisfaction FLOAT64: mean answer, 1 to 5; NULL where nobody answered
-- tests:
--   one_row_a_month_and_segment:
--     SELECT month, segment FROM marts.support_load GROUP BY month, segment HAVING COUNT(*) > 1
--   tickets_sum_to_support_tickets:
--     SELECT mart.tickets, raw_rows.tickets AS raw_tickets
--     FROM (SELECT COALESCE(SUM(tickets), 0) AS tickets FROM marts.support_load) AS mart
--     CROSS JOIN (SELECT COUNT(*) AS tickets FROM raw.support_tickets) AS raw_rows
--     WHERE mart.tickets != raw_rows.tickets
--   shares_within_0_and_1:
--     SELECT * FROM marts.support_load WHERE sla_share NOT BETWEEN 0 AND 1 OR average_satisfaction NOT BETWEEN 1 AND 5
--   parts_within_the_whole:
--     SELECT * FROM marts.support_load
--     WHERE closed_tickets > tickets OR due_tickets NOT BETWEEN closed_tickets AND tickets
--     OR within_sla_tickets > closed_tickets OR median_resolution_hours < 0
WITH grid AS (
  SELECT months.month, months.is_complete, segments.segment
  FROM marts.months AS months
  CROSS JOIN (SELECT DISTINCT segment FROM raw.customers) AS segments
),
tickets AS (
  SELECT
    DATE_TRUNC(DATE(tickets.opened_at), MONTH) AS month,
    customers.segment,
    DATETIME_DIFF(tickets.closed_at, tickets.opened_at, SECOND) AS seconds,
    DATETIME_DIFF(DATETIME(DATE_ADD(data.as_of, INTERVAL 1 DAY)), tickets.opened_at, SECOND) AS age_seconds,
    3600 * CASE tickets.priority WHEN 'urgent' THEN 8 WHEN 'high' THEN 24 WHEN 'medium' THEN 72 ELSE 120 END
      AS allowed_seconds,
    tickets.first_response_minutes,
    tickets.satisfaction
  FROM raw.support_tickets AS tickets
  INNER JOIN raw.customers AS customers ON customers.customer_id = tickets.customer_id
  CROSS JOIN (SELECT MAX(as_of) AS as_of FROM marts.months) AS data
),
ranked AS (
  SELECT
    month,
    segment,
    seconds,
    ROW_NUMBER() OVER (PARTITION BY month, segment ORDER BY seconds) AS place,
    COUNT(*) OVER (PARTITION BY month, segment) AS places
  FROM tickets
  WHERE seconds IS NOT NULL
),
medians AS (
  SELECT month, segment, AVG(seconds) / 3600 AS median_hours
  FROM ranked
  WHERE place IN (DIV(places + 1, 2), DIV(places + 2, 2))
  GROUP BY month, segment
),
loads AS (
  SELECT
    month,
    segment,
    COUNT(*) AS tickets,
    COUNT(seconds) AS closed_tickets,
    AVG(seconds) / 3600 AS average_hours,
    AVG(first_response_minutes) AS first_response_minutes,
    COUNTIF(seconds IS NOT NULL OR age_seconds > allowed_seconds) AS due_tickets,
    COUNTIF(seconds <= allowed_seconds) AS within_sla_tickets,
    AVG(satisfaction) AS average_satisfaction
  FROM tickets
  GROUP BY month, segment
)
SELECT
  grid.month,
  grid.segment,
  grid.is_complete,
  COALESCE(loads.tickets, 0) AS tickets,
  COALESCE(loads.closed_tickets, 0) AS closed_tickets,
  medians.median_hours AS median_resolution_hours,
  loads.average_hours AS average_resolution_hours,
  loads.first_response_minutes AS average_first_response_minutes,
  COALESCE(loads.due_tickets, 0) AS due_tickets,
  COALESCE(loads.within_sla_tickets, 0) AS within_sla_tickets,
  loads.within_sla_tickets / NULLIF(loads.due_tickets, 0) AS sla_share,
  loads.average_satisfaction
FROM grid
LEFT JOIN loads ON loads.month = grid.month AND loads.segment = grid.segment
LEFT JOIN medians ON medians.month = grid.month AND medians.segment = grid.segment
