"""Inner loops of IP Insights: pairs of an entity and an address, tables of octets, rows of the entity table."""
