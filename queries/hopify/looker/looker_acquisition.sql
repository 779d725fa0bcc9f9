-- question: What does each channel bring, and what does it cost?
-- grain: one row a calendar month and channel
-- notes: Rates and the cost of a customer are ratios of sums, and are calculated fields of the report. Months
--   before traffic was measured have no visitors; leave them out where a rate of visitors is shown.
-- columns:
--   month DATE: first day of the month
--   is_complete BOOL: whether the data reaches the month's end
--   channel STRING: acquisition channel
--   visitors INT64: visitors in the month; NULL where traffic was not measured
--   leads INT64: visitors who left an address; NULL where not measured
--   mqls INT64: leads that marketing qualified; NULL where not measured
--   signups INT64: customers who signed up in the month
--   spend NUMERIC(18, 2): campaign spend that falls on the month's days
SELECT month, is_complete, channel, visitors, leads, mqls, signups, spend
FROM marts.funnel_by_channel
