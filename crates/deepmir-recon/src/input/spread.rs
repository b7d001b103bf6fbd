//! That the phases of all echoes are scaled alike.

use deepmir_volume::Volume;

use crate::ReconError;

/// The range of one echo's phase, and whether it is a whole turn.
pub(super) struct Spread {
    least: f32,
    most: f32,
    /// The phase is wrapped at the ends of its own range.
    wraps: bool,
    name: String,
}

/// A step between neighbours of this part of the range is a wrap.
const WRAP: f32 = 0.9;
/// Part of the steps that wrap where a phase fills its turn. One step in a hundred does in noise alone; in the real and
/// simulated scans that this was measured on, 0.0018 to 0.0202 did in each echo, also in a crop inside the brain.
const WRAPS: f64 = 5e-4;
/// Ranges of a turn differ by no more: 4095 steps and 4096.
const SAME: f32 = 1.1;

impl Spread {
    /// Of one phase image, whose values run from `range.0` to `range.1`.
    pub fn of(phase: &Volume<f32>, range: (f32, f32), name: String) -> Self {
        let (least, most) = range;
        let limit = WRAP * (most - least);
        let [width, height, _] = phase.shape();
        let rows = || phase.data().chunks_exact(width);
        let along = rows().flat_map(|row| row.windows(2).map(|two| (two[0], two[1])));
        let across = phase
            .data()
            .chunks_exact(width * height)
            .flat_map(|slice| slice.iter().zip(&slice[width..]).map(|(&here, &next)| (here, next)));
        // Where a stripped image was set to zero, the step is the stripping's.
        let is_wrap = |(a, b): &(f32, f32)| (a - b).abs() > limit && *a != 0.0 && *b != 0.0;
        let wraps = along.chain(across).filter(is_wrap).count();
        let steps = (2 * phase.data().len()).max(1);
        Self { least, most, wraps: wraps as f64 > WRAPS * steps as f64, name }
    }

    fn width(&self) -> f32 {
        self.most - self.least
    }
}

/// Refuses echoes of one scan that fill turns of different size, naming the one that stands alone.
pub(super) fn check(spreads: &[Spread]) -> Result<(), ReconError> {
    let full: Vec<&Spread> = spreads.iter().filter(|spread| spread.wraps).collect();
    let alike =
        |a: &Spread, b: &Spread| a.width().max(b.width()) <= SAME * a.width().min(b.width());
    let friends = |one: &Spread| full.iter().filter(|other| alike(one, other)).count();
    // Of two that differ, neither is known to be right: the later one is named first.
    let odd = full.iter().rev().min_by_key(|&&one| friends(one));
    let usual = full.iter().max_by_key(|&&one| friends(one));
    let Some((odd, usual)) = odd.zip(usual) else { return Ok(()) };
    let Some(other) = full.iter().find(|other| !alike(odd, other)) else { return Ok(()) };
    let other = if alike(odd, usual) { other } else { usual };
    Err(ReconError::EchoScale {
        least: odd.least,
        most: odd.most,
        name: odd.name.clone(),
        other_least: other.least,
        other_most: other.most,
        other: other.name.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid};
    use std::f32::consts::PI;

    /// A phase that winds, times a factor.
    fn spread(turns: f32, factor: f32, name: &str) -> Spread {
        let grid = Grid::new([40, 40, 5], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let phase = Volume::from_fn(grid, |[i, j, _]| {
            factor * crate::phase::wrapped(2.0 * PI * turns * (i * j) as f32 / 1600.0)
        });
        let range = crate::scan::range(&phase);
        Spread::of(&phase, range, name.to_owned())
    }

    #[test]
    fn an_echo_scaled_otherwise_is_named() {
        let odd = |spreads: &[Spread]| match check(spreads) {
            Err(ReconError::EchoScale { name, .. }) => Some(name),
            _ => None,
        };
        let scan = |factors: [f32; 3]| {
            [0, 1, 2].map(|n| spread(5.0 + n as f32, factors[n], &format!("echo {n}")))
        };
        assert_eq!(odd(&scan([1.0, 1.0, 1.0])), None);
        assert_eq!(odd(&scan([1304.0, 1304.0, 1303.5])), None);
        for factor in [0.5, 2.0, 1304.0, 57.3, 1e-3, -0.5] {
            for at in 0..3 {
                let mut factors = [1.0; 3];
                factors[at] = factor;
                assert_eq!(odd(&scan(factors)), Some(format!("echo {at}")), "{factor}");
            }
        }
        assert_eq!(odd(&scan([1.0, 0.5, 1.0])[..2]).as_deref(), Some("echo 1"));
    }

    #[test]
    fn an_early_echo_that_does_not_fill_the_turn_is_right() {
        let early = spread(0.3, 1.0, "early");
        assert!(!early.wraps && early.width() < 2.0);
        assert!(check(&[early, spread(3.0, 1.0, "late")]).is_ok());
        let grid = Grid::new([40, 40, 5], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let stripped =
            Volume::from_fn(
                grid,
                |[i, j, _]| if i > 8 && i < 30 { 1.5 + 0.004 * j as f32 } else { 0.0 },
            );
        let early = Spread::of(&stripped, crate::scan::range(&stripped), "stripped".to_owned());
        assert!(!early.wraps && check(&[early, spread(3.0, 1.0, "late")]).is_ok());
    }
}
