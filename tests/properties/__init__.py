"""The whole way from events to answers: pipeline, engine and report against the oracle and the golden cases."""
