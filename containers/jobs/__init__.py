"""Starts, follows and stops one job, local or in Docker; describes and validates."""
