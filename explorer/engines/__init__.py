"""What computes tokens: one Protocol, one module per engine, heavy imports only when used."""
