"""Endpoints of several instances and variants on one machine: what `algoport deploy` runs.

description.py    what is wanted: variants, their weights, how many instances
connection.py     a request to an instance, and its answer
instance.py       one server: started, asked whether it is healthy, ended
fleet.py          the instances of a variant: the least busy is asked, those that end are replaced
configuration.py  variants side by side, and which of them a request is for
arrival.py        how requests come
front.py          the process that clients ask
endpoint.py       all of it together
update.py         other variants in place of these, in steps that may be taken back
scaling.py        how many instances a load needs
capture.py        requests and answers, written down
channel.py        how commands reach the process that runs an endpoint
"""
