"""Aggregates over calls: dimensions, measures, calendars, queue visits."""
