//! Lesions by size.

use serde::Serialize;

/// A range of diameters (of the ball of the same volume).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SizeClass {
    /// As shown in tables.
    pub name: &'static str,
    /// From this diameter on.
    pub from_mm: f64,
    /// Below this diameter.
    pub below_mm: f64,
}

/// BOMBS' classes (below 5 mm, 5 to 10 mm), the lower split where most microbleeds lie, and what
/// is too large for a microbleed.
pub const SIZE_CLASSES: [SizeClass; 5] = [
    SizeClass { name: "<2 mm", from_mm: 0.0, below_mm: 2.0 },
    SizeClass { name: "2-3 mm", from_mm: 2.0, below_mm: 3.0 },
    SizeClass { name: "3-5 mm", from_mm: 3.0, below_mm: 5.0 },
    SizeClass { name: "5-10 mm", from_mm: 5.0, below_mm: 10.0 },
    SizeClass { name: ">=10 mm", from_mm: 10.0, below_mm: f64::INFINITY },
];

/// Lesions of one size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SizeCounts {
    /// True lesions of that size.
    pub truth: usize,
    /// Of those, found.
    pub found: usize,
    /// Predicted lesions of that size (as predicted).
    pub predicted: usize,
    /// Of those, matching no true lesion.
    pub false_positives: usize,
}

/// The position of a diameter among [`SIZE_CLASSES`].
pub(super) fn size_class(diameter_mm: f64) -> usize {
    SIZE_CLASSES.iter().rposition(|class| diameter_mm >= class.from_mm).unwrap_or(0)
}
