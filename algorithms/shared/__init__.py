"""What several algorithms compute with. A file comes here with its second user, named for what it computes."""
