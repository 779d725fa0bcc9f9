"""What several suites share: databases to read, warehouses to load, commands to run."""
