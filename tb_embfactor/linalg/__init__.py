"""Row blocks -> second moments -> singular values, factors and projections. Pure functions of numbers.

blocks.py       what a matrix is here: something that yields its rows in blocks, as often as asked
moments.py      one pass: second moments, mean, norms
spectrum.py     moments -> singular values with error bounds, and the second pass where the bounds ask for it
rotation.py     varimax and ICA of whitened rows; parts.py: non-negative parts
degeneracy.py   directions that cannot be told apart, and axes followed from step to step
sampling.py, extremes.py   rows for a search; the rows with the most and the least of a factor
comparison.py   two matrices with the same rows, from their second moments
noise.py        where noise ends: limit laws and the ranks that follow from them
row_statistics.py, histogram.py   zeros and norms, from the same pass
projection.py   factors -> the affine map that puts every row into a plane or a space
"""
