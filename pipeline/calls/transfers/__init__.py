"""How a call left one target for another: transfers, forwards, consultations, reroutes."""
