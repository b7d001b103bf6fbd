//! How a network takes images, and what its outputs are.

use serde::{Deserialize, Serialize};

use crate::OnnxError;

/// What becomes of a network's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// They are probabilities.
    None,
    /// They are logits of which one channel is true.
    Softmax,
    /// They are logits, each for itself.
    Sigmoid,
}

/// How a network takes images, and what its outputs are.
///
/// ```
/// use deepmir_onnx::NetworkLayout;
///
/// let layout: NetworkLayout = toml::from_str(
///     r#"
///     outputs = ["background", "CMB", "NHID"]
///     activation = "softmax"
///     axes = "zyx"
///     window = [32, 128, 128]
///     "#,
/// )?;
/// layout.validate()?;
/// assert_eq!((layout.overlap, layout.orientation.as_str()), (0.5, "RAS"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkLayout {
    /// What each output channel is; the names are the caller's.
    pub outputs: Vec<String>,
    /// What becomes of the outputs.
    pub activation: Activation,
    /// The order of the axes behind batch and channels, the slowest first: `zyx` or another order for volumes, two letters
    /// such as `yx` for slices across the third.
    pub axes: String,
    /// Where the indices of x, y and z increase to.
    #[serde(default = "ras")]
    pub orientation: String,
    /// Voxels of a window, in the order of the axes. Images that are smaller are padded with zeros.
    pub window: Vec<usize>,
    /// The share of a window that it has in common with the next one along each axis, at least.
    #[serde(default = "half")]
    pub overlap: f64,
}

fn ras() -> String {
    "RAS".to_owned()
}

fn half() -> f64 {
    0.5
}

/// No memory holds a larger window.
const MOST_VOXELS: usize = 1 << 26;
/// The two directions of each axis; images come in those of the first.
const DIRECTIONS: [[char; 2]; 3] = [['R', 'L'], ['A', 'P'], ['S', 'I']];

impl NetworkLayout {
    /// Checks that it is consistent.
    ///
    /// # Errors
    /// Naming what contradicts itself.
    pub fn validate(&self) -> Result<(), OnnxError> {
        let invalid = |reason: String| Err(OnnxError::Layout { reason });
        let axes = self.axes.as_bytes();
        let twice = |n: usize| axes[..n].contains(&axes[n]);
        let known = axes.iter().all(|axis| (b'x'..=b'z').contains(axis));
        if !(2..=3).contains(&axes.len()) || !known || (0..axes.len()).any(twice) {
            return invalid(format!(
                "axes {:?} must be two or three different letters of x, y and z, such as \"zyx\"",
                self.axes
            ));
        }
        let letters: Vec<char> = self.orientation.chars().collect();
        let is_one = |(letter, directions): (&char, &[char; 2])| directions.contains(letter);
        if letters.len() != 3 || !letters.iter().zip(&DIRECTIONS).all(is_one) {
            return invalid(format!(
                "orientation {:?} must be R or L, A or P, S or I in this order, such as \"LPS\"; the order of the axes is \
                 in `axes`",
                self.orientation
            ));
        }
        let voxels = self.window.iter().try_fold(1_usize, |all, &side| all.checked_mul(side));
        if self.window.len() != axes.len()
            || !voxels.is_some_and(|voxels| (1..=MOST_VOXELS).contains(&voxels))
        {
            return invalid(format!(
                "window {:?} must have a number of voxels for each of the axes {:?}, together at most {MOST_VOXELS}",
                self.window, self.axes
            ));
        }
        if !(0.0..=0.9).contains(&self.overlap) {
            return invalid(format!("overlap {} must be from 0 to 0.9", self.overlap));
        }
        match (self.outputs.len(), self.activation) {
            (0, _) => invalid("outputs is empty; name what each output channel is".to_owned()),
            (1, Activation::Softmax) => {
                invalid("softmax over one output is always 1; use sigmoid".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether it takes volumes, not slices.
    #[must_use]
    pub fn is_3d(&self) -> bool {
        self.axes.len() == 3
    }

    /// The axis of each place of a window, and the window with them: for slices the axis across them comes first.
    pub(crate) fn order(&self) -> ([usize; 3], [usize; 3]) {
        let mut axes: Vec<usize> = self.axes.bytes().map(|axis| usize::from(axis - b'x')).collect();
        let mut window = self.window.clone();
        if axes.len() == 2 {
            axes.insert(0, 3 - axes[0] - axes[1]);
            window.insert(0, 1);
        }
        (std::array::from_fn(|n| axes[n]), std::array::from_fn(|n| window[n]))
    }

    /// Whether each of x, y and z runs the other way than in RAS.
    pub(crate) fn reversed(&self) -> [bool; 3] {
        let mut letters = self.orientation.chars();
        std::array::from_fn(|axis| letters.next() == Some(DIRECTIONS[axis][1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(axes: &str, window: &[usize]) -> NetworkLayout {
        NetworkLayout {
            outputs: vec!["background".to_owned(), "CMB".to_owned()],
            activation: Activation::Softmax,
            axes: axes.to_owned(),
            orientation: "LPS".to_owned(),
            window: window.to_vec(),
            overlap: 0.5,
        }
    }

    #[test]
    fn slices_have_their_axis_first() {
        assert_eq!(layout("zyx", &[4, 8, 16]).order(), ([2, 1, 0], [4, 8, 16]));
        assert_eq!(layout("xy", &[8, 16]).order(), ([2, 0, 1], [1, 8, 16]));
        assert_eq!(layout("zx", &[8, 16]).order(), ([1, 2, 0], [1, 8, 16]));
        assert_eq!(layout("yx", &[8, 16]).reversed(), [true, true, false]);
    }

    #[test]
    fn contradictions_are_named() {
        let fault = |change: &dyn Fn(&mut NetworkLayout)| {
            let mut changed = layout("zyx", &[4, 8, 16]);
            change(&mut changed);
            changed.validate().unwrap_err().to_string()
        };
        layout("zyx", &[4, 8, 16]).validate().unwrap();
        assert!(fault(&|one| one.axes = "zyy".to_owned()).contains("axes"));
        assert!(fault(&|one| one.axes = "zyxt".to_owned()).contains("axes"));
        assert!(fault(&|one| one.orientation = "SAR".to_owned()).contains("orientation"));
        assert!(fault(&|one| one.window = vec![4, 8]).contains("window"));
        assert!(fault(&|one| one.window = vec![usize::MAX, 8, 8]).contains("window"));
        assert!(fault(&|one| one.overlap = f64::NAN).contains("overlap"));
        assert!(fault(&|one| one.outputs.truncate(1)).contains("sigmoid"));
        assert!(fault(&|one| one.outputs.clear()).contains("outputs"));
    }
}
