"""The process and its machine: files, caches, cores, Ctrl-C, optional libraries. No mechanics."""
