"""Tables and plots of a report as CSV, JSON and pages with SVG."""
