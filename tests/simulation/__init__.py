"""The whole pipeline under one virtual clock and one seed: every step of I/O may crash, fail, come late or twice.

Real: the processors, `Engine` with its commits, restores and backpressure, the state (the in-memory twin as the disk),
`SinkProcess` with `RowsReader`, `RowBuffer` and `Delivery`. Simulated: the brokers (`log`), their groups
(`group`), aiokafka's clients (`clients`), Faust's fetch loop and queue (`worker`), ClickHouse (`house`), time (`clock`).
"""
