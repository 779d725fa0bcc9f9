"""BigQuery as a warehouse: three datasets of one project, loaded by jobs, merged by transactions."""

from etl.warehouses.bigquery.warehouse import BigQueryWarehouse, connect

__all__ = ["BigQueryWarehouse", "connect"]
