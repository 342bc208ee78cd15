"""Named numbers, factorizations and projections of a matrix: what the API, the CLI and the worker call.

factorization.py   factorize(): a matrix and its factors W = U S Vᵀ
movement.py        which rows are what they were at another checkpoint
drift.py           how far a matrix has come from another checkpoint, whatever way its axes were turned
verdicts.py        what the numbers mean, in plain words
numbers/           metrics(): the named numbers, each with its formula and source
ranks.py           suggested_ranks(): how many directions to keep, by every rule
axes.py            the axes of a matrix by one of several methods
factors.py         factors(): what the axes stand for, by the rows with most and least of each
comparison.py      compare(): two matrices over the rows that they share
neighbours.py      neighbors(): the nearest rows of some rows
sparsity.py        sparsity(): zeros, and the cost of pruning
projection.py      project(): the rows (or columns) as points
"""
