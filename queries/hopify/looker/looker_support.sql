-- question: How much support is asked for, and how fast does it come?
-- grain: one row a calendar month of opening and segment that has customers
-- notes: Shares and means are ratios of sums, and are calculated fields of the report.
-- columns:
--   month DATE: first day of the month in which the cases were opened
--   is_complete BOOL: whether the data reaches the month's end
--   segment STRING: the customer's segment
--   tickets INT64: cases opened
--   closed_tickets INT64: those of them closed so far
--   resolution_hours FLOAT64: hours from opening to closing, summed over the closed ones
--   due_tickets INT64: cases closed, or open beyond their service level
--   within_sla_tickets INT64: cases closed within their service level
SELECT
  month,
  is_complete,
  segment,
  tickets,
  closed_tickets,
  COALESCE(average_resolution_hours * closed_tickets, 0) AS resolution_hours,
  due_tickets,
  within_sla_tickets
FROM marts.support_load
