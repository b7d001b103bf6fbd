//! The elastic part of a registration.

use deepmir_volume::{Grid, Volume, gaussian};
use rayon::prelude::*;

use super::PART_WEIGHTS;
use super::image::{Lattice, PartImage};
use crate::template::Part;

/// One schedule of the iteration: how often, and how stiff the deformation is.
struct Level {
    iterations: usize,
    /// Standard deviation of the Gaussian that smooths the deformation, in steps of the lattice.
    stiffness_steps: f64,
}

/// Stiff first, so that the outline does not drag nuclei along.
const LEVELS: [Level; 2] = [
    Level { iterations: 10, stiffness_steps: 2.0 },
    Level { iterations: 20, stiffness_steps: 1.2 },
];

/// Smooths each update, in steps of the lattice.
const UPDATE_SMOOTHING_STEPS: f64 = 1.0;

/// The smallest local growth of volume; below, a deformation is about to fold.
const LEAST_GROWTH: f32 = 0.2;

/// A displacement in millimetres for every point of a lattice.
pub(super) struct Displacement {
    lattice: Lattice,
    millimetres: Vec<[f32; 3]>,
}

impl Displacement {
    /// Where a place goes.
    pub(super) fn apply(&self, place_mm: [f64; 3]) -> [f64; 3] {
        let moved = self.lattice.cell(place_mm).value(&self.millimetres);
        std::array::from_fn(|axis| place_mm[axis] + f64::from(moved[axis]))
    }

    /// Finds the displacement that takes each place of `head` to the place of `template` that looks
    /// like it, both on one lattice: diffeomorphic demons (Vercauteren et al., NeuroImage 45:S61,
    /// 2009) on all parts at once. Nothing pulls where `inside` is false.
    pub(super) fn between(head: &PartImage, inside: &[bool], template: &PartImage) -> Option<Self> {
        let lattice = head.lattice;
        let grid = lattice.grid()?;
        let slopes = slopes(head);
        let active = active(head, inside, template);
        let mut field = Self { lattice, millimetres: vec![[0.0; 3]; lattice.len()] };
        for level in LEVELS {
            for _ in 0..level.iterations {
                let mut update = field.update(head, &slopes, &active, template);
                update.smooth(&grid, UPDATE_SMOOTHING_STEPS)?;
                field = field.after(&update);
                field.smooth(&grid, level.stiffness_steps)?;
            }
        }
        while field.least_growth() < LEAST_GROWTH {
            field.smooth(&grid, 1.0)?;
            field.millimetres.par_iter_mut().for_each(|moved| *moved = moved.map(|mm| 0.9 * mm));
        }
        Some(field)
    }

    /// A step towards the template at every point, at most half a step of the lattice.
    fn update(
        &self,
        head: &PartImage,
        slopes: &[[[f32; Part::COUNT]; 3]],
        active: &[bool],
        template: &PartImage,
    ) -> Self {
        let points = (0..self.lattice.len()).into_par_iter().with_min_len(1024);
        let steps = points.map(|position| {
            if !active[position] {
                return [0.0; 3];
            }
            let place = self.lattice.place_mm(position);
            let there: [f64; 3] = std::array::from_fn(|axis| {
                place[axis] + f64::from(self.millimetres[position][axis])
            });
            let (value, warped) = template.value_and_slopes(there);
            let (mut pull, mut size) = ([0.0_f32; 3], 0.0_f32);
            for part in 0..Part::COUNT {
                let weight = PART_WEIGHTS[part];
                let apart = head.data[position][part] - value[part];
                size += weight * apart * apart;
                for axis in 0..3 {
                    let slope = 0.5 * (warped[axis][part] + slopes[position][axis][part]);
                    pull[axis] += weight * apart * slope;
                    size += weight * slope * slope;
                }
            }
            pull.map(|pull| pull / size.max(NO_PULL) * self.lattice.spacing_mm as f32)
        });
        Self { lattice: self.lattice, millimetres: steps.collect() }
    }

    /// This displacement after `first`.
    fn after(&self, first: &Self) -> Self {
        let points = (0..self.lattice.len()).into_par_iter().with_min_len(1024);
        let moved = points.map(|position| {
            let step = first.millimetres[position];
            let place = self.lattice.place_mm(position);
            let there = std::array::from_fn(|axis| place[axis] + f64::from(step[axis]));
            let further = self.lattice.cell(there).value(&self.millimetres);
            std::array::from_fn(|axis| step[axis] + further[axis])
        });
        Self { lattice: self.lattice, millimetres: moved.collect() }
    }

    /// Smooths by a Gaussian of a standard deviation in steps of the lattice.
    fn smooth(&mut self, grid: &Grid, sigma_steps: f64) -> Option<()> {
        let sigma_mm = [sigma_steps * self.lattice.spacing_mm; 3];
        for axis in 0..3 {
            let part = self.millimetres.iter().map(|moved| moved[axis]).collect();
            let smoothed = gaussian::smooth(&Volume::new(*grid, part).ok()?, sigma_mm);
            let pairs = self.millimetres.iter_mut().zip(smoothed.data());
            pairs.for_each(|(moved, &value)| moved[axis] = value);
        }
        Some(())
    }

    /// The smallest determinant of the Jacobian over the cells of the lattice: how much a volume
    /// shrinks; not positive where places fold over each other.
    fn least_growth(&self) -> f32 {
        let [nx, ny, nz] = self.lattice.shape;
        let strides = self.lattice.strides();
        let spacing = self.lattice.spacing_mm as f32;
        let planes = (0..nz - 1).into_par_iter().map(|k| {
            let mut least = f32::INFINITY;
            for (j, i) in (0..ny - 1).flat_map(|j| (0..nx - 1).map(move |i| (j, i))) {
                let position = i + nx * (j + ny * k);
                let here = self.millimetres[position];
                let column = |axis: usize| -> [f32; 3] {
                    let next = self.millimetres[position + strides[axis]];
                    std::array::from_fn(|row| {
                        f32::from(u8::from(row == axis)) + (next[row] - here[row]) / spacing
                    })
                };
                least = least.min(determinant(column(0), column(1), column(2)));
            }
            least
        });
        planes.reduce(|| f32::INFINITY, f32::min)
    }
}

/// Below this sum of squared slopes and differences nothing is there to align.
const NO_PULL: f32 = 1e-3;

/// Points in the field of view where there is something, in the head or the template.
fn active(head: &PartImage, inside: &[bool], template: &PartImage) -> Vec<bool> {
    let is_something = |position: usize| {
        let pairs = head.data[position].iter().zip(&template.data[position]);
        pairs.map(|(one, other)| one.max(*other)).fold(0.0, f32::max) > SOMETHING
    };
    (0..inside.len()).map(|position| inside[position] && is_something(position)).collect()
}

/// Occupancies below this are nothing.
const SOMETHING: f32 = 0.01;

fn determinant(a: [f32; 3], b: [f32; 3], c: [f32; 3]) -> f32 {
    a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
}

/// Central differences along the axes, for each step of the lattice; zero on its faces.
fn slopes(image: &PartImage) -> Vec<[[f32; Part::COUNT]; 3]> {
    let lattice = image.lattice;
    let strides = lattice.strides();
    let points = (0..lattice.len()).into_par_iter().with_min_len(1024);
    let slopes = points.map(|position| {
        let indices = lattice.indices(position);
        std::array::from_fn(|axis| {
            if indices[axis] == 0 || indices[axis] + 1 == lattice.shape[axis] {
                return [0.0; Part::COUNT];
            }
            let after = &image.data[position + strides[axis]];
            let before = &image.data[position - strides[axis]];
            std::array::from_fn(|part| 0.5 * (after[part] - before[part]))
        })
    });
    slopes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Balls of every part around places that differ by `shift_mm`.
    fn balls(lattice: Lattice, shift_mm: f64) -> PartImage {
        let data = (0..lattice.len())
            .map(|position| {
                let place = lattice.place_mm(position);
                std::array::from_fn(|part| {
                    let x = place[0] - 30.0 * (part % 3) as f64 + 30.0 - shift_mm;
                    let y = place[1] - 30.0 * (part / 3) as f64 + 30.0;
                    let distance = (x * x + y * y + place[2] * place[2]).sqrt();
                    (0.5 - (distance - 12.0) / 8.0).clamp(0.0, 1.0) as f32
                })
            })
            .collect();
        PartImage { lattice, data }
    }

    #[test]
    fn balls_are_carried_onto_shifted_balls_without_a_fold() {
        let lattice = Lattice { shape: [30; 3], origin_mm: [-58.0; 3], spacing_mm: 4.0 };
        let inside = vec![true; lattice.len()];
        let (head, template) = (balls(lattice, 0.0), balls(lattice, 6.0));
        let field = Displacement::between(&head, &inside, &template).unwrap();
        for centre in [[-30.0, 0.0, 0.0], [0.0, 0.0, 0.0], [30.0, 30.0, 0.0]] {
            let moved = field.apply(centre);
            assert!((moved[0] - centre[0] - 6.0).abs() < 1.0, "{moved:?} of {centre:?}");
            assert!((moved[1] - centre[1]).abs() < 1.0 && moved[2].abs() < 1.0, "{moved:?}");
        }
        assert!(field.least_growth() >= LEAST_GROWTH);
    }

    #[test]
    fn what_folds_is_found() {
        let lattice = Lattice { shape: [4; 3], origin_mm: [0.0; 3], spacing_mm: 4.0 };
        let mut field = Displacement { lattice, millimetres: vec![[0.0; 3]; lattice.len()] };
        assert_eq!(field.least_growth(), 1.0);
        field.millimetres[21] = [6.0, 0.0, 0.0];
        assert!(field.least_growth() < 0.0);
    }
}
