"""EMR and EMR Serverless steps, on the Spark of this machine or on none at all."""
