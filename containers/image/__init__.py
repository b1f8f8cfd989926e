"""How images are made and checked: recipe, entrypoint, lock, audit, bill of materials, base images."""
