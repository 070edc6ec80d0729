"""Reading models: `.osim` file → ModelSpec → (Model, Params). Host and NumPy only, never traced."""
