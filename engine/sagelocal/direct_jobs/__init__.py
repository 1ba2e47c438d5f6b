"""Jobs that are created by themselves, and what they share with those that steps create."""

from sagelocal.direct_jobs.created import DirectJobs, refusal

__all__ = ["DirectJobs", "refusal"]
