"""Where jobs run: images, and the ways to start one."""
