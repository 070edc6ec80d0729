"""Array operations with their own batching and transposition rules; no mechanics."""
