"""The read side: what ClickHouse holds, as the catalogue defines it. Reads only."""
