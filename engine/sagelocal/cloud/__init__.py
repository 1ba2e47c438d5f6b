"""The AWS services that jobs talk to, served from this machine."""
