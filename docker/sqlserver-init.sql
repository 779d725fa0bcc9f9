-- Makes the database, lets readers have snapshots, and makes a login that may read and nothing else.
-- Run by sqlcmd, which puts environment variables in their places, comments included; it may be run again.
:on error exit
IF DB_ID(N'$(ETL_DATABASE)') IS NULL
    CREATE DATABASE [$(ETL_DATABASE)] COLLATE Latin1_General_100_CI_AS_SC_UTF8;
GO
-- Without the first a sync cannot read all tables at one instant; with the second, readers do not block writers.
ALTER DATABASE [$(ETL_DATABASE)] SET ALLOW_SNAPSHOT_ISOLATION ON;
-- This one waits for every other connection to end, or ends them, so it is done but once.
IF EXISTS (SELECT 1 FROM sys.databases WHERE name = N'$(ETL_DATABASE)' AND is_read_committed_snapshot_on = 0)
    ALTER DATABASE [$(ETL_DATABASE)] SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE;
GO
IF SUSER_ID(N'etl_reader') IS NULL
    CREATE LOGIN etl_reader WITH PASSWORD = N'$(ETL_SOURCE_PASSWORD)', DEFAULT_DATABASE = [$(ETL_DATABASE)];
ALTER LOGIN etl_reader WITH PASSWORD = N'$(ETL_SOURCE_PASSWORD)';
GO
USE [$(ETL_DATABASE)];
GO
IF USER_ID(N'etl_reader') IS NULL
    CREATE USER etl_reader FOR LOGIN etl_reader;
ALTER ROLE db_datareader ADD MEMBER etl_reader;
-- To see defaults, computed columns and keys of tables, and the changes of those that track them.
GRANT VIEW DEFINITION TO etl_reader;
GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo TO etl_reader;
GO
