"""Exactness under kills, joins and outages, on the real parts and over many events: `python -m tests.kafka.campaign`."""
