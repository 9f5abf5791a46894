"""Re-makes the bundled family of tiny models: `python -m sample_data.make`, from the repo root."""
