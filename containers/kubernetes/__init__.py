"""Manifests: what a training, a server or a search is on a cluster, as files for kubectl, Kubeflow, KServe and Slurm.

Nothing here talks to a cluster. A file is made from a description alone, so that it can be read and kept before it is
applied.
"""
