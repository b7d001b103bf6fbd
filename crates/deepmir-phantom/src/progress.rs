//! What a long simulation is doing.

/// A step of making one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Step {
    Anatomy,
    Painting,
    Field,
    Echoes,
    T2w,
    Truth,
    Maps,
    Writing,
}

impl Step {
    /// All steps in their order.
    pub const ALL: [Self; 8] = [
        Self::Anatomy,
        Self::Painting,
        Self::Field,
        Self::Echoes,
        Self::T2w,
        Self::Truth,
        Self::Maps,
        Self::Writing,
    ];

    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Anatomy => "drawing the head and its lesions",
            Self::Painting => "painting the head on fine voxels",
            Self::Field => "computing the field",
            Self::Echoes => "scanning the echoes",
            Self::T2w => "scanning T2w",
            Self::Truth => "collecting the truth",
            Self::Maps => "making SWI and QSM",
            Self::Writing => "writing",
        }
    }
}
