"""Every difference between the supported releases of Airflow, and nothing else.

One module for each subject; importing this package, or one of its modules, imports nothing of
Airflow but what its releases share. Plain moves of classes between Airflow's packages are not here:
those imports come from ``airflow.providers.common.compat.sdk``.
"""
