"""QualityCheck and ClarifyCheck steps: one processing job each, measured against a baseline (semantics 02 §2.11, 08 §8.7)."""
