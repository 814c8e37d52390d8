"""What is shown and what raises an alarm: dashboards, rules and the reference of metrics, generated."""
