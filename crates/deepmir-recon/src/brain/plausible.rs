//! Whether what was found in a head can be its brain.

use deepmir_volume::components::Connectivity;
use deepmir_volume::morphology::{close_mm, fill_holes, largest_component};
use deepmir_volume::{Interpolation, Mask, Volume, resample, statistics};

use super::coarse;

/// Size of the voxels that heads are measured on, millimetres.
const VOXEL_MM: f64 = 4.0;
/// Signal of a head over that of its brightest parts, at the least.
const SIGNAL: f32 = 0.15;
/// Less is no whole head, millilitres: a brain and its skull measure more.
const HEAD_ML: f64 = 1800.0;
/// A brain that is left after fluid was taken off, millilitres, of adults: the usual range is 900 to 1700.
const BRAIN_ML: [f64; 2] = [650.0, 2000.0];
/// From the vertex to the end of the brain stem is less, millimetres: smaller fields of view hold a part of the brain.
const BRAIN_HEIGHT_MM: f64 = 150.0;
/// Where less of the head is in the field of view, less of the brain must be.
const PART_IN_SLAB: f64 = 0.6;
/// What may lie further down than a brain reaches, millilitres.
const IN_NECK_ML: f64 = 30.0;
/// The smaller half over the larger one, at the least.
const SYMMETRY: f64 = 0.6;
/// Around the head's middle (the basal ganglia), the brain fills this part of a ball of this radius, millimetres.
const MIDDLE_MM: f64 = 20.0;
const MIDDLE_FILLED: f64 = 0.6;
/// The middle lies this far below the vertex: of the head between these, millimetres.
const MIDDLE_BELOW_VERTEX_MM: [f64; 2] = [50.0, 110.0];

/// The whole head of a scan.
pub(super) struct Head {
    mask: Mask,
    /// The middle of it at the height of the basal ganglia, in millimetres to the right, to the front and upwards.
    middle_mm: [f64; 3],
    height_mm: f64,
}

impl Head {
    /// `None` if the field of view holds no whole head.
    pub fn of(magnitude: &Volume<f32>) -> Option<Self> {
        let coarse = coarse(magnitude, VOXEL_MM);
        let mut positive: Vec<f32> =
            coarse.data().iter().copied().filter(|&value| value > 0.0).collect();
        let brightest = statistics::quantile(&mut positive, 0.98)?;
        let bright = coarse.map(|&value| value > SIGNAL * brightest);
        let mask = largest_component(&fill_holes(&close_mm(&bright, 8.0)), Connectivity::Six);
        if volume_ml(&mask) < HEAD_ML {
            return None;
        }
        let places = places(&mask);
        let (bottom, vertex) = span(&places)?;
        let height_mm = vertex - bottom;
        let [near, far] = MIDDLE_BELOW_VERTEX_MM;
        let level = |place: &&[f64; 3]| {
            height_mm < BRAIN_HEIGHT_MM || (vertex - far..vertex - near).contains(&place[2])
        };
        let middle: Vec<[f64; 3]> = places.iter().filter(level).copied().collect();
        let count = middle.len().max(1) as f64;
        let middle_mm =
            std::array::from_fn(|axis| middle.iter().map(|place| place[axis]).sum::<f64>() / count);
        Some(Self { mask, middle_mm, height_mm })
    }

    /// What shows that `brain` is not this head's.
    pub fn fault_of(&self, brain: &Mask) -> Option<String> {
        let fraction = brain.map(|&inside| f32::from(inside));
        let brain = resample(&fraction, self.mask.grid(), Interpolation::Linear, 0.0)
            .map(|&part| part > 0.5);
        let (brain_ml, head_ml) = (volume_ml(&brain), volume_ml(&self.mask));
        let [mut least, most] = BRAIN_ML;
        if self.height_mm < BRAIN_HEIGHT_MM {
            least *= PART_IN_SLAB * self.height_mm / BRAIN_HEIGHT_MM;
        }
        if brain_ml < least {
            return Some(format!(
                "{brain_ml:.0} mL in a head of {head_ml:.0} mL, which is less than a brain"
            ));
        }
        if brain_ml > most {
            return Some(format!("{brain_ml:.0} mL, which is more than a brain"));
        }
        let places = places(&brain);
        let (_, vertex) = span(&places)?;
        let voxel_ml = brain.grid().voxel_volume_mm3() / 1000.0;
        let low = places.iter().filter(|place| place[2] < vertex - BRAIN_HEIGHT_MM).count();
        if low as f64 * voxel_ml > IN_NECK_ML {
            return Some("it reaches down into the neck".to_owned());
        }
        let right = places.iter().filter(|place| place[0] > self.middle_mm[0]).count();
        let halves = [right as f64, (places.len() - right) as f64];
        if halves[0].min(halves[1]) < SYMMETRY * halves[0].max(halves[1]) {
            return Some("it lies on one side of the head".to_owned());
        }
        let closed = fill_holes(&close_mm(&brain, 8.0));
        let in_ball = |place: &[f64; 3]| {
            (0..3).map(|axis| (place[axis] - self.middle_mm[axis]).powi(2)).sum::<f64>()
                < MIDDLE_MM * MIDDLE_MM
        };
        let grid = closed.grid();
        let ball: Vec<usize> = (0..grid.len())
            .filter(|&voxel| in_ball(&grid.position_mm(grid.voxel(voxel))))
            .collect();
        let filled = ball.iter().filter(|&&voxel| closed.data()[voxel]).count();
        if (filled as f64) < MIDDLE_FILLED * ball.len() as f64 {
            return Some("the middle of the head is not in it".to_owned());
        }
        None
    }
}

fn volume_ml(mask: &Mask) -> f64 {
    mask.count() as f64 * mask.grid().voxel_volume_mm3() / 1000.0
}

/// Where the voxels of a mask are, in millimetres.
fn places(mask: &Mask) -> Vec<[f64; 3]> {
    let grid = mask.grid();
    let inside = (0..grid.len()).filter(|&voxel| mask.data()[voxel]);
    inside.map(|voxel| grid.position_mm(grid.voxel(voxel))).collect()
}

/// The lowest and the highest place, without a hundredth of all at either end.
fn span(places: &[[f64; 3]]) -> Option<(f64, f64)> {
    let mut heights: Vec<f32> = places.iter().map(|place| place[2] as f32).collect();
    let low = statistics::quantile(&mut heights, 0.01)?;
    let high = statistics::quantile(&mut heights, 0.99)?;
    Some((f64::from(low), f64::from(high)))
}
