"""Put tests/core on the import path, so that the tests in its folders share its modules."""
