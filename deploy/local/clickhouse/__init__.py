"""The ClickHouse of one machine: the real engine in one process, behind ClickHouse's own HTTP interface."""
