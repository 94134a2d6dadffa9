"""The fifty metrics computed again from facts, one section of the contract a module; `report` puts them together.

Plain and slow on purpose: every number is a loop over all facts, written to be read beside `metrics.md`.
"""
