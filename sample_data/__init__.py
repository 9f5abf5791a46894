"""Sample problems, three tiny models that show the paper's effect, and the code that made them."""
