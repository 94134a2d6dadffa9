"""Bad inputs as data: every kind with the bucket, reason and field that the contract gives it.

Written from the contract alone; nothing here asks the product what it would say.
"""
