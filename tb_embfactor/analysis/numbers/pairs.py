"""Numbers of two matrices over the rows that they share; `analysis.comparison` computes them."""

from __future__ import annotations

from tb_embfactor.analysis.numbers.registry import describe

describe(
    "pair",
    "linear_cka",
    "linear CKA",
    "How alike the distances among the rows are, 0 to 1; turning or scaling either matrix does not change it.",
    "‖C‖²_F/(‖A‖_F‖B‖_F); A, B the centred second moments, C those between the two",
    "Kornblith et al. 2019",
)
describe(
    "pair",
    "procrustes",
    "Procrustes distance",
    "What is left of one matrix when the other was turned and scaled onto it as well as can be: 0 for the same shape, at most 1.",
    "1 − ‖C‖²_*/(tr A·tr B)",
    "Schönemann 1966; Gower 1975 (as scipy.spatial.procrustes)",
)
describe(
    "pair",
    "svcca",
    "SVCCA",
    "How well the directions that hold 99 % of either variance explain each other, on average, 0 to 1.",
    "the mean singular value of Λ_A^−½ V_Aᵀ C V_B Λ_B^−½",
    "Raghu et al. 2017",
)
describe(
    "pair",
    "pwcca",
    "PWCCA",
    "The same, each direction counted by how much of the first matrix it accounts for.",
    "Σ wᵢρᵢ/Σ wᵢ, wᵢ = Σⱼ |⟨hᵢ, aⱼ⟩| over the columns aⱼ of the first matrix",
    "Morcos et al. 2018",
)
describe(
    "pair",
    "principal_angles",
    "principal angles",
    "Angles between the spaces of the scores on the ten leading principal axes of either, in radians: 0 is the same "
    "direction, π/2 a new one.",
    "arccos of the singular values of Λ_A^−½ V_Aᵀ C V_B Λ_B^−½, of the ten leading axes",
    "Björck & Golub 1973",
)
describe(
    "pair",
    "neighbour_overlap",
    "shared neighbours",
    "The share of the ten nearest neighbours (by cosine) that a row has in both matrices, among 2,000 sampled rows.",
    "mean of |N_A ∩ N_B|/10",
    "Hamilton et al. 2016",
)
