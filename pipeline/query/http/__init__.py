"""What every surface shares of HTTP: parameters, bodies, errors, documents, limits, health."""
