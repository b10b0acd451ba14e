"""Metrics of a client, for the monitoring system of the application.

    from jwks_client.instrumentation import prometheus

    prometheus.instrument(client)

Each module needs the extra of the same name. A client that is not instrumented has no overhead.
"""
