"""Inference pipelines: two to fifteen containers in a row, of which each gets the answer of the one before.

description.py  which containers, as a CreateModel request has them
chain.py        a request through all of them
front.py        the process before them: the paths of a container, for the whole row
started.py      all of it on this machine, as processes or containers
compose.py      all of it as a file for `docker compose`
"""
