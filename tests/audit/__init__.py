"""The product beside the oracle: random worlds through pipeline, engine and report, every value compared."""
