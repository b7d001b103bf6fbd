//! A picture of one subject of a dataset: SWI, QSM, T2w and the truth over the SWI (microbleeds red,
//! iron deposits yellow, the drawn mimics cyan), the slices those with most lesions.
//! `cargo run --release -p deepmir-phantom --example mosaic -- FOLDER sub-01 OUT.png`.

use std::path::{Path, PathBuf};

use deepmir_volume::{BoundingBox, Volume, nifti};

type Fault = Box<dyn std::error::Error>;

/// Slices in a row.
const SLICES: usize = 4;
/// Height of a slice in pixels.
const HEIGHT: u32 = 150;
/// Grey levels: few, so that the file is small.
const LEVELS: f32 = 24.0;

fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, subject, out] = arguments.as_slice() else {
        return Err("give the dataset's folder, a subject (sub-01) and the picture's name".into());
    };
    let images = Path::new(folder).join(subject).join("anat");
    let truths = Path::new(folder).join("derivatives/truth").join(subject).join("anat");
    let read = |folder: &PathBuf, suffix: &str| -> Result<Volume<f32>, Fault> {
        Ok(nifti::read(&folder.join(format!("{subject}_{suffix}.nii.gz")))?.volume)
    };
    let swi = read(&images, "acq-swi_T2starw")?;
    let qsm = read(&images, "Chimap")?;
    let t2w = read(&images, "T2w")?;
    let mask = read(&truths, "desc-brain_mask")?.map(|&value| value > 0.5);
    let mut labels = read(&truths, "seg-lesions_dseg")?;
    let table = std::fs::read_to_string(truths.join(format!("{subject}_desc-sources_list.tsv")))?;
    mark_mimics(&mut labels, &table);
    let brain = BoundingBox::around(&mask).ok_or("the brain mask is empty")?;
    let slices = chosen_slices(&labels, &brain);

    let [x0, y0, _] = brain.start();
    let [nx, ny, _] = brain.shape();
    let [dx, dy, _] = swi.grid().voxel_sizes_mm();
    let width = (f64::from(HEIGHT) * nx as f64 * dx / (ny as f64 * dy)) as u32;
    let total = width * SLICES as u32;
    let mut picture = vec![[0_u8; 3]; (total * 4 * HEIGHT) as usize];
    let bright = |volume: &Volume<f32>, part: f64| {
        let mut values: Vec<f32> = volume.data().iter().copied().filter(|&v| v > 0.0).collect();
        deepmir_volume::statistics::quantile(&mut values, part).unwrap_or(1.0)
    };
    let (swi_top, t2w_top) = (bright(&swi, 0.998), bright(&t2w, 0.997));
    for (column, &k) in slices.iter().enumerate() {
        for row in 0..4_u32 {
            for v in 0..HEIGHT {
                for u in 0..width {
                    let i = x0 + (u as usize * nx / width as usize).min(nx - 1);
                    let j = y0 + ny - 1 - (v as usize * ny / HEIGHT as usize).min(ny - 1);
                    let voxel = [i, j, k];
                    let grey = |value: f32| {
                        let level = (value.clamp(0.0, 1.0) * LEVELS).round() / LEVELS;
                        [(level * 255.0) as u8; 3]
                    };
                    let colour = match row {
                        0 => grey(swi[voxel] / swi_top),
                        1 => grey((qsm[voxel] + 0.15) / 0.4),
                        2 => grey(t2w[voxel] / t2w_top),
                        _ => match labels[voxel] as u8 {
                            1 => [255, 40, 40],
                            2 => [255, 220, 0],
                            3 => [0, 220, 255],
                            _ => grey(0.6 * swi[voxel] / swi_top),
                        },
                    };
                    let place = (row * HEIGHT + v) * total + column as u32 * width + u;
                    picture[place as usize] = colour;
                }
            }
        }
    }
    let mut encoder = png::Encoder::new(std::fs::File::create(out)?, total, 4 * HEIGHT);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(picture.as_flattened())?;
    writer.finish()?;
    Ok(())
}

/// Marks the centres of calcifications and cavernomas with a 3.
fn mark_mimics(labels: &mut Volume<f32>, table: &str) {
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let numbers: Vec<f64> =
            fields.iter().skip(1).take(4).filter_map(|text| text.parse().ok()).collect();
        let ([kind, ..], [x, y, z, volume]) = (fields.as_slice(), numbers.as_slice()) else {
            continue;
        };
        if *kind == "CMB" || *kind == "NHID" {
            continue;
        }
        let radius = (volume * 3.0 / (4.0 * std::f64::consts::PI)).cbrt();
        for index in 0..labels.data().len() {
            let place = labels.grid().position_mm(labels.grid().voxel(index));
            let square = (place[0] - x).powi(2) + (place[1] - y).powi(2) + (place[2] - z).powi(2);
            if square < radius * radius {
                labels.data_mut()[index] = 3.0;
            }
        }
    }
}

/// One slice in each fifth of the brain's height, some way from the next fifth: the one with most labelled
/// voxels, or its middle.
fn chosen_slices(labels: &Volume<f32>, brain: &BoundingBox) -> Vec<usize> {
    let (bottom, height) = (brain.start()[2], brain.shape()[2]);
    // Leave the lowest and highest tenth: little brain is there.
    let edge = |n: usize| bottom + height / 8 + n * (height - height / 5) / SLICES;
    (0..SLICES)
        .map(|n| {
            let middle = (edge(n) + edge(n + 1)) / 2;
            let apart = (edge(n + 1) - edge(n)) / 8;
            let count = |k: usize| labels.slice(k).iter().filter(|&&label| label > 0.0).count();
            let best = (edge(n) + apart..edge(n + 1) - apart)
                .max_by_key(|&k| (count(k), usize::MAX - k.abs_diff(middle)));
            best.unwrap_or(middle)
        })
        .collect()
}
