"""What only a DAG run knows: its window, the windows beside it, the tasks mapped with it."""
