"""The wire format as code: one module a topic, and around them

`decode`      bytes to a typed event, fast; `diagnose` says what is wrong with a record that is refused
`types`       the union of all events, and which types a topic carries
`person`      whose event it is: record key, person's name in state
`clock`       event time with skew correction; what is too far in the future
`jsonschema`  the same contract as JSON Schema, for producers
"""
