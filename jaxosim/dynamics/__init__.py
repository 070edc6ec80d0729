"""Laws of rigid bodies, contact and passive forces: pure JAX, one world."""
