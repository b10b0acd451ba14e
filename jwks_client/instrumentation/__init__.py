"""Metrics of a client, for the monitoring system of the application.

    from jwks_client.instrumentation import prometheus

    prometheus.instrument(client)

Each module needs the extra of its name. A client that is not instrumented pays nothing.
"""
