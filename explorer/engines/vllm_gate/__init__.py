"""A folder that is put on the module path of vLLM servers: it holds what runs inside them."""
