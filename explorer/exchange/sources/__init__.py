"""Other people's rollout files, one small module per format; `registry` lists them."""
