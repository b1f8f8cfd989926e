"""How requests look where that is odd: documents may come as plain text, a line each."""

from algoport.algorithms.shared.text import requests

REQUESTS = {requests.MEDIA: requests.FORM}
