-- question: Which rows refer to rows that are not there?
-- grain: one row a row that breaks a rule
-- columns:
--   rule STRING: the rule that is broken
--   row_key STRING: the key of the row that breaks it
SELECT 'customers.campaign_id refers to nothing' AS rule, CAST(child.customer_id AS STRING) AS row_key
FROM raw.customers AS child
WHERE child.campaign_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.campaigns AS parent WHERE parent.campaign_id = child.campaign_id
)
UNION ALL
SELECT 'subscriptions.customer_id refers to nothing' AS rule, CAST(child.subscription_id AS STRING) AS row_key
FROM raw.subscriptions AS child
WHERE child.customer_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.customers AS parent WHERE parent.customer_id = child.customer_id
)
UNION ALL
SELECT 'subscriptions.plan_id refers to nothing' AS rule, CAST(child.subscription_id AS STRING) AS row_key
FROM raw.subscriptions AS child
WHERE child.plan_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.plans AS parent WHERE parent.plan_id = child.plan_id
)
UNION ALL
SELECT 'orders.customer_id refers to nothing' AS rule, CAST(child.order_id AS STRING) AS row_key
FROM raw.orders AS child
WHERE child.customer_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.customers AS parent WHERE parent.customer_id = child.customer_id
)
UNION ALL
SELECT 'order_items.order_id refers to nothing' AS rule, CAST(child.order_item_id AS STRING) AS row_key
FROM raw.order_items AS child
WHERE child.order_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.orders AS parent WHERE parent.order_id = child.order_id
)
UNION ALL
SELECT 'order_items.product_id refers to nothing' AS rule, CAST(child.order_item_id AS STRING) AS row_key
FROM raw.order_items AS child
WHERE child.product_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.products AS parent WHERE parent.product_id = child.product_id
)
UNION ALL
SELECT 'order_discounts.order_id refers to nothing' AS rule, CAST(child.order_id AS STRING) AS row_key
FROM raw.order_discounts AS child
WHERE child.order_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.orders AS parent WHERE parent.order_id = child.order_id
)
UNION ALL
SELECT 'order_discounts.discount_id refers to nothing' AS rule, CAST(child.order_id AS STRING) AS row_key
FROM raw.order_discounts AS child
WHERE child.discount_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.discounts AS parent WHERE parent.discount_id = child.discount_id
)
UNION ALL
SELECT 'payments.order_id refers to nothing' AS rule, CAST(child.payment_id AS STRING) AS row_key
FROM raw.payments AS child
WHERE child.order_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.orders AS parent WHERE parent.order_id = child.order_id
)
UNION ALL
SELECT 'support_tickets.customer_id refers to nothing' AS rule, CAST(child.ticket_id AS STRING) AS row_key
FROM raw.support_tickets AS child
WHERE child.customer_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.customers AS parent WHERE parent.customer_id = child.customer_id
)
UNION ALL
SELECT 'churn_events.subscription_id refers to nothing' AS rule, CAST(child.churn_event_id AS STRING) AS row_key
FROM raw.churn_events AS child
WHERE child.subscription_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.subscriptions AS parent WHERE parent.subscription_id = child.subscription_id
)
UNION ALL
SELECT 'app_installs.customer_id refers to nothing' AS rule, CAST(child.install_id AS STRING) AS row_key
FROM raw.app_installs AS child
WHERE child.customer_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.customers AS parent WHERE parent.customer_id = child.customer_id
)
UNION ALL
SELECT 'app_installs.product_id refers to nothing' AS rule, CAST(child.install_id AS STRING) AS row_key
FROM raw.app_installs AS child
WHERE child.product_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.products AS parent WHERE parent.product_id = child.product_id
)
UNION ALL
SELECT 'app_installs.location_id refers to nothing' AS rule, CAST(child.install_id AS STRING) AS row_key
FROM raw.app_installs AS child
WHERE child.location_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM raw.locations AS parent WHERE parent.location_id = child.location_id
)
