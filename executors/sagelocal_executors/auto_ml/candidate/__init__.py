"""What runs inside the jobs of a local search: shipped to their containers, where nothing else of ours is.

Needs Python 3.8, numpy, pandas, scikit-learn, joblib, and xgboost for its candidates; the versions of AWS's public
scikit-learn and XGBoost images count, so only what those have is used.
"""
