//! Planes to a grid.

use deepmir_volume::{Affine, Grid};

use crate::header::{Frame, Plane};

/// Slices closer than this part of the distance between slices are at one place.
const SAME_PLACE: f64 = 0.1;
/// Positions are rounded in some files; distances that differ by more than this part are not those of one volume.
const EVEN: f64 = 0.05;
/// How far slices may lie beside the line through the first and last, in parts of a pixel.
const BESIDE: f64 = 0.1;

/// Why planes make no volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Several images at one place.
    Doubled(String),
    /// Anything else.
    Other(String),
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The direction across a plane: right-handed with its rows and columns.
pub fn normal(plane: &Plane) -> [f64; 3] {
    let (a, b) = (plane.along_row, plane.along_column);
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// Sorts frames along the normal of their planes and returns the grid of the volume, in which rows are stored from the
/// last to the first, as other converters do: then voxel axes run to the left, front and top in axial images.
///
/// # Errors
/// If slices are doubled, missing or unevenly spaced; with the numbers of the images.
pub fn arrange(frames: &mut [Frame]) -> Result<Grid, Fault> {
    let Some(first) = frames.first() else {
        return Err(Fault::Other("no slices".to_owned()));
    };
    let across = normal(&first.plane);
    let place = |frame: &Frame| dot(frame.plane.position_mm, across);
    frames.sort_by(|a, b| place(a).total_cmp(&place(b)));
    let places: Vec<f64> = frames.iter().map(place).collect();
    if let [_] = frames {
        return Err(Fault::Other("one slice is no volume".to_owned()));
    }
    let mut steps: Vec<f64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_by(f64::total_cmp);
    // Doubled slices have steps of nothing: the step is that of the others.
    let largest = steps.last().copied().unwrap_or(0.0);
    let real: Vec<f64> = steps.into_iter().filter(|&step| step > SAME_PLACE * largest).collect();
    let Some(&step) = real.get(real.len().saturating_sub(1) / 2) else {
        return Err(Fault::Doubled(format!("all {} slices are at one place", frames.len())));
    };
    if step <= 1e-6 {
        return Err(Fault::Doubled(format!("all {} slices are at one place", frames.len())));
    }
    check_steps(frames, &places, step)?;
    let (first, last) = (&frames[0].plane, &frames[frames.len() - 1].plane);
    let count = (frames.len() - 1) as f64;
    let along: [f64; 3] =
        std::array::from_fn(|axis| (last.position_mm[axis] - first.position_mm[axis]) / count);
    check_line(frames, along)?;
    grid(first, along, frames.len()).map_err(Fault::Other)
}

/// How people see an image: its number, or its file's.
fn number(frame: &Frame) -> i64 {
    frame.instance
}

fn check_steps(frames: &[Frame], places: &[f64], step: f64) -> Result<(), Fault> {
    let mut doubled = Vec::new();
    let mut gaps = Vec::new();
    let mut uneven = Vec::new();
    for (n, pair) in places.windows(2).enumerate() {
        let ratio = (pair[1] - pair[0]) / step;
        let both = (number(&frames[n]), number(&frames[n + 1]));
        if ratio < SAME_PLACE {
            doubled.push(format!("{} and {}", both.0, both.1));
        } else if ratio > 1.5 && (ratio - ratio.round()).abs() < EVEN * ratio {
            let missing = ratio.round() as usize - 1;
            let slices = if missing == 1 { "slice is" } else { "slices are" };
            gaps.push(format!(
                "{missing} {slices} missing between images {} and {}",
                both.0, both.1
            ));
        } else if (ratio - 1.0).abs() > EVEN {
            uneven.push(format!("{:.3} mm between images {} and {}", ratio * step, both.0, both.1));
        }
    }
    let listed = |what: &[String]| {
        let more = what.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        what.iter().take(5).cloned().collect::<Vec<_>>().join(", ") + &more
    };
    if !doubled.is_empty() {
        return Err(Fault::Doubled(format!(
            "two images at one place: {}; give one series at a time, without copies",
            listed(&doubled)
        )));
    }
    if !gaps.is_empty() {
        return Err(Fault::Other(format!("{}; export the series again", listed(&gaps))));
    }
    if !uneven.is_empty() {
        return Err(Fault::Other(format!(
            "slices are {step:.3} mm apart, but {}; a volume has even spacing",
            listed(&uneven)
        )));
    }
    Ok(())
}

/// That all slices lie on the line from the first to the last, and it runs across them.
fn check_line(frames: &[Frame], along: [f64; 3]) -> Result<(), Fault> {
    let first = &frames[0].plane;
    let tolerance_mm = BESIDE * first.spacing_mm[0].min(first.spacing_mm[1]);
    for (n, frame) in frames.iter().enumerate() {
        let place = frame.plane.position_mm;
        let apart = (0..3)
            .map(|axis| place[axis] - first.position_mm[axis] - n as f64 * along[axis])
            .fold(0.0_f64, |most, apart| most.max(apart.abs()));
        if apart > tolerance_mm {
            return Err(Fault::Other(format!(
                "image {} lies {apart:.2} mm beside the line of the others; a volume has even spacing",
                number(frame)
            )));
        }
    }
    let length = dot(along, along).sqrt();
    let sideways = (1.0 - (dot(along, normal(first)) / length).powi(2)).max(0.0).sqrt();
    if sideways > 0.02 {
        return Err(Fault::Other(
            "slices are shifted sideways from one to the next, as by a tilted gantry".to_owned(),
        ));
    }
    Ok(())
}

fn grid(first: &Plane, along: [f64; 3], slices: usize) -> Result<Grid, String> {
    let [columns, rows] = first.shape;
    let [across_columns, across_rows] = first.spacing_mm;
    // From left, posterior, superior to right, anterior, superior.
    let sign = [-1.0, -1.0, 1.0];
    let row = |axis: usize| {
        let down = first.along_column[axis] * across_rows;
        let origin = first.position_mm[axis] + down * (rows as f64 - 1.0);
        [first.along_row[axis] * across_columns, -down, along[axis], origin]
            .map(|value| sign[axis] * value)
    };
    let rows_of_matrix = [row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]];
    let affine = Affine::from_rows(rows_of_matrix).ok_or("its axes are no axes of a volume")?;
    Grid::new([columns, rows, slices], affine).map_err(|error| error.to_string())
}
