"""Time integration of a state that is a pytree, and the structured Jacobian that ROS3w uses."""
