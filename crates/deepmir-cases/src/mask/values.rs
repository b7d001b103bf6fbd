//! Which values of a mask are inside.

use deepmir_volume::{Mask, Volume, statistics};

/// Values this near to whole numbers are whole numbers with rounding noise.
const ROUNDING: f32 = 0.01;
/// A mask of two values may have noise of this share of the higher.
const SAME: f32 = 1e-3;
/// Resampling with splines overshoots by a quarter of the highest value at corners; a signed distance is far below.
const OVERSHOOT: f32 = 0.4;
/// The values inside of a mask that was smoothed or resampled lie at one height: half of them this near to their median.
const PLATEAU: f32 = 0.1;
/// A mask's plateau is at least this share of what is more than nothing. Few voxels at the top are the highest labels of a
/// segmentation, such as the corpus callosum (251 to 255) in FreeSurfer's.
const PLATEAU_SHARE: f64 = 0.2;
/// Values below this share of the plateau are nothing: ringing and rounding.
const NOTHING: f32 = 0.05;
/// Where labels touch voxels of the same label: in a segmentation nearly all do, in an image few.
const SAME_NEIGHBOURS: f64 = 0.5;

/// What is inside, and what a user must know of how it was decided.
///
/// # Errors
/// Why the values are no mask's.
pub(super) fn inside(values: &Volume<f32>) -> Result<(Mask, Option<String>), String> {
    let (least, most) = range(values.data());
    if most <= 0.0 && least >= 0.0 {
        return Ok((values.map(|_| false), None));
    }
    if let Some([low, high]) = two_values(values.data(), least, most) {
        return of_two(values, low, high);
    }
    if least < -OVERSHOOT * most || most <= 0.0 {
        return Err(format!(
            "it has negative values (down to {least:.3}), as a signed distance has; threshold it to 0 outside and 1 inside"
        ));
    }
    let level = level(values.data(), most);
    if let Some(level) = level
        && !(is_integer(values.data()) && has_same_neighbours(values) && !is_percent(level))
    {
        let what = format!(
            "the brain mask has values between {least:.3} and {most:.3} and was cut at one half ({:.3})",
            level / 2.0
        );
        return Ok((values.map(|&value| value >= level / 2.0), Some(what)));
    }
    if is_integer(values.data()) && least > -0.5 && has_same_neighbours(values) {
        let mut labels: Vec<i64> = Vec::new();
        for label in values.data().iter().map(|value| value.round() as i64) {
            if let Err(place) = labels.binary_search(&label) {
                labels.insert(place, label);
            }
        }
        let labels = labels.len() - usize::from(labels.first() == Some(&0));
        let what = format!("the brain mask has {labels} labels, all of which were taken for brain");
        return Ok((values.map(|&value| value > 0.5), Some(what)));
    }
    Err(format!(
        "its values ({least:.3} to {most:.3}) are those of an image, not of a mask; threshold it to 0 outside and 1 inside"
    ))
}

/// The usual mask: two values, whatever they are.
fn of_two(values: &Volume<f32>, low: f32, high: f32) -> Result<(Mask, Option<String>), String> {
    let middle = f32::midpoint(low, high);
    let mask = values.map(|&value| value > middle);
    let zero = low.abs() <= SAME * high.abs();
    if zero && high > 0.0 {
        return Ok((mask, None));
    }
    // A probability that is never quite 0 or 1, or −1 and 1.
    if (low > 0.0 && low < high / 3.0) || (low < 0.0 && (low + high).abs() <= SAME * high) {
        let what =
            format!("the brain mask has the values {low:.3} and {high:.3}; the higher is inside");
        return Ok((mask, Some(what)));
    }
    if low == high && high > 0.0 {
        // All of the image is brain: a crop.
        return Ok((values.map(|_| true), None));
    }
    Err(format!("its values are {low:.3} and {high:.3}; set them to 0 outside and 1 inside"))
}

fn range(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), &value| {
        (least.min(value), most.max(value))
    })
}

/// Lowest and highest value, if every voxel is one of them.
fn two_values(values: &[f32], least: f32, most: f32) -> Option<[f32; 2]> {
    let noise = SAME * (most - least).max(most.abs());
    let two = values.iter().all(|value| value - least <= noise || most - value <= noise);
    two.then_some([least, most])
}

/// The height of what is inside, if it is a plateau.
fn level(values: &[f32], most: f32) -> Option<f32> {
    let mut high: Vec<f32> = values.iter().copied().filter(|&value| value > most / 2.0).collect();
    let level = statistics::median(&mut high)?;
    let near = high.iter().filter(|&&value| (value - level).abs() <= PLATEAU * level).count();
    let something = values.iter().filter(|&&value| value > NOTHING * level).count();
    (2 * near >= high.len() && near as f64 >= PLATEAU_SHARE * something as f64).then_some(level)
}

/// Of masks in percent or in bytes, which are integers without being labels.
fn is_percent(level: f32) -> bool {
    [100.0, 255.0].iter().any(|full| (level - full).abs() <= PLATEAU * full)
}

fn is_integer(values: &[f32]) -> bool {
    values.iter().all(|value| (value - value.round()).abs() <= ROUNDING)
}

/// Whether most voxels that are not zero have the value of the next along the first axis.
fn has_same_neighbours(values: &Volume<f32>) -> bool {
    let (mut same, mut all) = (0_usize, 0_usize);
    for row in values.data().chunks_exact(values.shape()[0]) {
        for pair in row.windows(2).filter(|pair| pair[0] != 0.0 && pair[1] != 0.0) {
            all += 1;
            same += usize::from((pair[0] - pair[1]).abs() <= ROUNDING);
        }
    }
    same as f64 >= SAME_NEIGHBOURS * all as f64
}
