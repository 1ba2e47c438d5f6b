"""AutoML jobs as a small search on this machine, which does not claim to be Autopilot."""
