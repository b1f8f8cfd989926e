"""Clusters of rows: Lloyd's method, the first centers, and the nearest of many centers."""
