//! A cell of the plan.

/// One training with its predictions: an arm, a fold, a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// From 1.
    pub number: usize,
    /// Position among the plan's arms.
    pub arm: usize,
    /// Position among the plan's folds.
    pub fold: usize,
    /// The training's seed.
    pub seed: u64,
    /// Sixteen digits of all that decides it; its folder's name.
    pub hash: String,
}
