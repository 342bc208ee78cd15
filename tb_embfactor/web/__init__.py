"""HTTP only: parameters in, JSON or arrays out; and the standard projector's page with our answers behind it.

routes.py      the route table (documented in docs/http-api.md)
respond.py     bodies, headers, errors
projector.py   the standard Embedding Projector on one matrix
"""
