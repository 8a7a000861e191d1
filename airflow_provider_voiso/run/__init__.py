"""What only a DAG run knows: its window, its arguments, and the tasks mapped with it."""
