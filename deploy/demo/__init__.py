"""The demo: one simulated shop on the local stack, its numbers live, and at the end compared with what was sent."""
