"""Formats of pictures with masks: a picture and its mask by turns in RecordIO, and one picture a body."""
