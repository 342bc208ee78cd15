"""Named numbers, factorizations and projections of a matrix: what the API, the CLI and the worker call.

factorization.py   factorize(): a matrix and its factors W = U S Vᵀ
numbers.py         metrics(): the named numbers, each with its formula and source
projection.py      project(): the rows (or columns) as points
"""
