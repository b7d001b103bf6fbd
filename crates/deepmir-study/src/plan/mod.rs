//! What a study compares, and on which subjects: arms crossed with folds and seeds to cells.

pub(crate) mod arm;
pub(crate) mod cell;
mod checksums;
pub(crate) mod config;
mod doubts;
pub(crate) mod factors;
pub(crate) mod layout;
pub(crate) mod participants;
pub(crate) mod split;

pub use arm::Arm;
pub use cell::Cell;
pub use config::{
    EvaluationSettings, Incomplete, SplitMethod, SplitSettings, StudyConfig, Variant,
};
pub use factors::Factors;
pub use layout::StudyPlan;
pub use split::Fold;
