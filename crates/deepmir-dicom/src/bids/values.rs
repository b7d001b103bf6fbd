//! Voxels of a volume, in what BIDS wants them in.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::path::Path;

use deepmir_volume::{Grid, Volume};
use rayon::prelude::*;

use crate::DicomError;
use crate::header::{Frame, Part, PixelFormat, Scaling};
use crate::input::Input;
use crate::parse::{Encoding, open};
use crate::pixels::{frame_bytes, numbers};
use crate::sort::Stack;

/// The voxels of a stack after its rescaling: phase in radians, all else as the scanner scaled it. Of Philips, the numbers
/// before the scaling for display, where the private slope says them.
///
/// # Errors
/// If a file cannot be read or is damaged, or the unit of a phase is not told.
pub fn volume(stack: &Stack, files: &[Input]) -> Result<Volume<f32>, DicomError> {
    let first = &stack.frames[0];
    let path = files.get(first.file).cloned().unwrap_or_default().path;
    let grid = match &stack.grid {
        Ok(grid) => *grid,
        Err(reason) => return Err(DicomError::Geometry { path, reason: reason.clone() }),
    };
    if let Encoding::Other(syntax) = &first.header.encoding {
        return Err(DicomError::Syntax { path, syntax: syntax.clone() });
    }
    check_sizes(stack, files, &grid)?;
    let mut data = vec![0.0_f32; grid.len()];
    let [columns, rows, _] = grid.shape();
    // Each file is read once, whatever it has of the volume; threads hold one file each.
    let mut by_file: BTreeMap<usize, Vec<(&Frame, &mut [f32])>> = BTreeMap::new();
    for (frame, slice) in stack.frames.iter().zip(data.chunks_mut(columns * rows)) {
        by_file.entry(frame.file).or_default().push((frame, slice));
    }
    let by_file: Vec<_> = by_file.into_iter().collect();
    by_file.into_par_iter().try_for_each(|(file, frames)| -> Result<(), DicomError> {
        let input = files.get(file).cloned().unwrap_or_default();
        let (path, bytes) = (&input.path, input.all()?);
        let parsed = open(path, &bytes, false)?;
        frames.into_par_iter().try_for_each(|(frame, slice)| -> Result<(), DicomError> {
            let raw = frame_bytes(&parsed, frame).map_err(|fault| fault.of(path))?;
            fill(slice, &raw, frame);
            Ok(())
        })
    })?;
    if stack.part() == Some(Part::Phase) {
        to_radians(stack, &mut data, &path)?;
    }
    Ok(Volume::new(grid, data)?)
}

/// That the files have as many bytes as the volume needs at least, so that a header alone gets no memory.
fn check_sizes(stack: &Stack, files: &[Input], grid: &Grid) -> Result<(), DicomError> {
    let mut there: u64 = 0;
    let mut last = None;
    for file in stack.frames.iter().map(|frame| frame.file) {
        if last.replace(file) != Some(file) {
            there += files.get(file).cloned().unwrap_or_default().stored_bytes()?;
        }
    }
    // No code that keeps an image of use makes its pixels smaller than a thirtieth of a byte.
    if grid.len() as u64 / 30 <= there {
        return Ok(());
    }
    let path = files.get(stack.frames[0].file).cloned().unwrap_or_default().path;
    let reason = format!("{there} bytes cannot hold {} voxels", grid.len());
    Err(DicomError::Damaged { path, reason })
}

/// Rows are stored from the last to the first.
fn fill(slice: &mut [f32], raw: &[u8], frame: &Frame) {
    let format: PixelFormat = frame.header.pixel;
    let [columns, rows] = frame.plane.shape;
    let (slope, intercept) = linear(&frame.scaling);
    for (n, stored) in numbers(raw, format).take(columns * rows).enumerate() {
        let (row, column) = (n / columns, n % columns);
        slice[(rows - 1 - row) * columns + column] = (stored as f64 * slope + intercept) as f32;
    }
}

/// Slope and intercept from stored numbers to values.
fn linear(scaling: &Scaling) -> (f64, f64) {
    match scaling.private_slope {
        // Displayed = stored × slope + intercept = acquired × slope × private slope.
        Some(private) => (1.0 / private, scaling.intercept / (scaling.slope * private)),
        None => (scaling.slope, scaling.intercept),
    }
}

fn to_radians(stack: &Stack, data: &mut [f32], path: &Path) -> Result<(), DicomError> {
    let (least, most) =
        data.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), &value| {
            (least.min(value), most.max(value))
        });
    let unit = PhaseUnit::of(&stack.frames, (least.into(), most.into()));
    let unit = unit.ok_or_else(|| DicomError::PhaseUnit { least, most, path: path.to_owned() })?;
    data.par_iter_mut().for_each(|value| *value = unit.radians(*value));
    Ok(())
}

/// What a value of a phase is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PhaseUnit {
    /// The value of no phase.
    zero: f64,
    /// Radians of one unit.
    radians: f64,
}

/// How far a range may reach over its nominal end: rounding.
const SLACK: f64 = 0.02;
/// How much of a turn values must fill, where their range alone tells the unit.
const FILLED: f64 = 0.75;

impl PhaseUnit {
    fn radians(self, value: f32) -> f32 {
        ((f64::from(value) - self.zero) * self.radians).clamp(-PI, PI) as f32
    }

    /// From the unit that is said, else from what the stored bits can reach, else from the range of the values.
    fn of(frames: &[Frame], range: (f64, f64)) -> Option<Self> {
        let scaling = &frames.first()?.scaling;
        let per_unit = |radians| Some(Self { zero: 0.0, radians });
        let inside =
            |half: f64| range.0 >= -half * (1.0 + SLACK) && range.1 <= half * (1.0 + SLACK);
        if scaling.private_slope.is_none() {
            match scaling.unit.as_deref().map(str::to_lowercase).as_deref() {
                Some("rad" | "radian" | "radians") if inside(PI) => return per_unit(1.0),
                Some("mrad" | "milliradians") if inside(1000.0 * PI) => return per_unit(1e-3),
                Some("deg" | "degrees") if inside(180.0) => return per_unit(PI / 180.0),
                _ => {}
            }
        }
        Self::by_ends(reach(&frames[0]), 1.0 - SLACK).or_else(|| Self::by_ends(range, FILLED))
    }

    /// Of values from one end to the other; `filled` is how much of a turn they must fill.
    fn by_ends((low, high): (f64, f64), filled: f64) -> Option<Self> {
        let fits = |least: f64, most: f64| {
            let turn = most - least;
            low >= least - SLACK * turn
                && high <= most + SLACK * turn
                && high - low >= filled * turn
        };
        let symmetric =
            |half: f64| fits(-half, half).then_some(Self { zero: 0.0, radians: PI / half });
        // Siemens without a slope has 0 to 4095; with one, −4096 to 4094.
        let unsigned = || fits(0.0, 4095.0).then_some(Self { zero: 2048.0, radians: PI / 2048.0 });
        symmetric(PI)
            .or_else(|| symmetric(1000.0 * PI))
            .or_else(unsigned)
            .or_else(|| symmetric(4096.0))
            .or_else(|| symmetric(2048.0))
            .or_else(|| symmetric(180.0))
    }
}

/// The least and the largest value that stored numbers can give.
fn reach(frame: &Frame) -> (f64, f64) {
    let format = frame.header.pixel;
    let (slope, intercept) = linear(&frame.scaling);
    let whole = 2.0_f64.powi(format.stored as i32);
    let (low, high) =
        if format.signed { (-whole / 2.0, whole / 2.0 - 1.0) } else { (0.0, whole - 1.0) };
    let (a, b) = (low * slope + intercept, high * slope + intercept);
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_ends(low: f64, high: f64) -> Option<[f32; 2]> {
        let unit = PhaseUnit::by_ends((low, high), FILLED)?;
        Some([unit.radians(low as f32), unit.radians(high as f32)])
    }

    #[test]
    fn makers_phases_become_radians() {
        let close = |ends: Option<[f32; 2]>, least: f32, most: f32| {
            ends.is_some_and(|[a, b]| (a - least).abs() < 2e-3 && (b - most).abs() < 2e-3)
        };
        let pi = PI as f32;
        for (low, high) in [
            (0.0, 4095.0),
            (-4096.0, 4094.0),
            (-3141.593, 3141.0),
            (-PI, PI),
            (-2048.0, 2047.0),
            (-3142.0, 3142.0),
        ] {
            assert!(
                close(by_ends(low, high), -pi, pi),
                "{low} to {high}: {:?}",
                by_ends(low, high)
            );
        }
        assert!(by_ends(0.0, 800.0).is_none() && by_ends(-0.003, 0.003).is_none());
    }
}
