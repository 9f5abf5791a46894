"""The sampler: one detached process per cache that draws, grades and scores what is asked for."""
