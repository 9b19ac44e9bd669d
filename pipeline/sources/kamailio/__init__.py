"""Kamailio and OpenSIPS: accounting rows and dialog events to call events."""
