"""Batch transform: the objects of a prefix, record by record, through a served model (semantics 08 §8.3)."""
