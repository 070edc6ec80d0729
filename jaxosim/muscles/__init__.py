"""Laws of muscles and their paths: pure JAX, one world."""
