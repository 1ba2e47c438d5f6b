"""EventBridge and its Scheduler: events, rules and schedules that start pipelines, invoke functions, send messages."""
