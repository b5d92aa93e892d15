"""RunWisp scheduled tasks as a source: tasks and runs, paged by key and by offset."""
