-- question: Which rows say that something happened before it could?
-- grain: one row a row that breaks a rule
-- columns:
--   rule STRING: the rule that is broken
--   row_key STRING: the key of the row that breaks it
SELECT 'order before signup' AS rule, CAST(orders.order_id AS STRING) AS row_key
FROM raw.orders AS orders
INNER JOIN raw.customers AS customers ON customers.customer_id = orders.customer_id
WHERE DATE(orders.ordered_at) < customers.signed_up_on
UNION ALL
SELECT 'ticket before signup' AS rule, CAST(tickets.ticket_id AS STRING) AS row_key
FROM raw.support_tickets AS tickets
INNER JOIN raw.customers AS customers ON customers.customer_id = tickets.customer_id
WHERE DATE(tickets.opened_at) < customers.signed_up_on
UNION ALL
SELECT 'subscription before signup' AS rule, CAST(subscriptions.subscription_id AS STRING) AS row_key
FROM raw.subscriptions AS subscriptions
INNER JOIN raw.customers AS customers ON customers.customer_id = subscriptions.customer_id
WHERE subscriptions.started_on < customers.signed_up_on
UNION ALL
SELECT 'ticket closed before it was opened' AS rule, CAST(ticket_id AS STRING) AS row_key
FROM raw.support_tickets
WHERE closed_at < opened_at
UNION ALL
SELECT 'payment before its order' AS rule, CAST(payments.payment_id AS STRING) AS row_key
FROM raw.payments AS payments
INNER JOIN raw.orders AS orders ON orders.order_id = payments.order_id
WHERE payments.paid_at < orders.ordered_at
UNION ALL
SELECT 'subscription that ends on its start or before' AS rule, CAST(subscription_id AS STRING) AS row_key
FROM raw.subscriptions
WHERE ended_on <= started_on
UNION ALL
SELECT 'install removed before it was made' AS rule, CAST(install_id AS STRING) AS row_key
FROM raw.app_installs
WHERE removed_at < installed_at
UNION ALL
SELECT 'campaign that ends before it starts' AS rule, CAST(campaign_id AS STRING) AS row_key
FROM raw.campaigns
WHERE ends_on < starts_on
UNION ALL
SELECT 'churn on another day than the subscription ended' AS rule, CAST(events.churn_event_id AS STRING) AS row_key
FROM raw.churn_events AS events
INNER JOIN raw.subscriptions AS subscriptions ON subscriptions.subscription_id = events.subscription_id
WHERE subscriptions.ended_on IS NULL OR subscriptions.ended_on <> events.churned_on
