"""Batch transform: objects cut into requests, answers joined in their order, each output complete or absent.

request.py    what is asked for: a CreateTransformJob request, or the options of the command
inputs.py     which objects there are, and what their outputs are called
splitting.py  from an object to the bodies of requests
filters.py    the JSONPath of InputFilter and OutputFilter
joining.py    what is done to records before, and to answers after
sending.py    requests with retries, and the search for the record that is refused
output.py     the file beside the output, and its place when it is complete
ledger.py     which objects are done, and how far the others are
driver.py     all of it, with a window of requests at each instance
"""
