"""Endpoints: models that answer over HTTP, as processes here, in containers, or wherever they run already."""
