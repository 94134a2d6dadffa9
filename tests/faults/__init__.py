"""Every plug pulled on real parts: cases as data, each under load, each compared with the oracle afterwards."""
