"""Row blocks -> second moments -> singular values, factors and projections. Pure functions of numbers.

blocks.py       what a matrix is here: something that yields its rows in blocks, as often as asked
crew.py         the threads that share a pass; products.py: sums of products, added in place
moments.py      one pass: second moments, mean, norms, of one matrix or of two with the same rows
gram.py         second moments of rows as they are, or whitened, which keeps the small end of a spectrum
refinement.py   second moments -> singular values with error bounds, and what to whiten with where these are poor
spectrum.py     a matrix -> its spectrum: whether to whiten, and one pass or more
axes.py         right singular vectors, kept or found on demand
rotation.py     varimax and ICA of whitened rows; parts.py: non-negative parts
neighbours.py   the nearest rows of some rows
degeneracy.py   directions that cannot be told apart, and axes followed from step to step
sampling.py, extremes.py   rows for a search; the rows with the most and the least of a factor
comparison.py   two matrices with the same rows, from their second moments
relation.py     two matrices whose spectra are known: only what lies between them takes a pass
noise.py        where noise ends: limit laws and the ranks that follow from them
row_statistics.py, histogram.py   zeros and norms, from the same pass
projection.py   factors -> the affine map that puts every row into a plane or a space
"""
