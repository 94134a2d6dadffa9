"""Tests of the wire format and of what is stored."""
