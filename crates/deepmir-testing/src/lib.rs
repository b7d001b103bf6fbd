//! Small made-up cohorts for the workspace's own tests: ball-shaped brains with balls in them, in a
//! second or less. No physics; `deepmir-phantom` is for that.

#![expect(clippy::unwrap_used, reason = "only tests call it, and a failing one says where")]

mod agreement;
pub mod formats;

use std::fs;
use std::path::{Path, PathBuf};

use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::{Affine, Grid, Volume, nifti};

pub use agreement::assert_predictions_agree;

/// The files of a made-up subject.
#[derive(Clone, Debug)]
pub struct MadeUpSubject {
    /// `sub-01`.
    pub id: String,
    /// Susceptibility-weighted image: lesions are dark.
    pub swi: PathBuf,
    /// Susceptibility map: CMB at 0.6 ppm, NHID at 0.3.
    pub qsm: PathBuf,
    /// T2-weighted image: NHID are darker than CMB.
    pub t2w: PathBuf,
    /// True label map.
    pub truth: PathBuf,
}

/// Writes a subject into a BIDS dataset (`sub-NN/anat` and `derivatives/truth`): a ball-shaped
/// brain of 32 mm on 64 × 64 × 24 voxels, with three CMB of 4 mm and three NHID of 6.4 mm that do
/// not touch. The same number makes the same subject.
///
/// # Panics
/// If a file cannot be written.
pub fn write_subject(dataset: &Path, number: u32) -> MadeUpSubject {
    let affine = Affine::from_spacing([0.75, 0.75, 1.5], [-24.0, -24.0, -18.0]);
    write_on(Grid::new([64, 64, 24], affine).unwrap(), dataset, number)
}

/// As [`write_subject`], on 24 × 24 × 12 voxels of twice the size: a program reads it in
/// milliseconds.
///
/// # Panics
/// If a file cannot be written.
pub fn write_coarse_subject(dataset: &Path, number: u32) -> MadeUpSubject {
    let affine = Affine::from_spacing([1.5, 1.5, 3.0], [-17.25, -17.25, -16.5]);
    write_on(Grid::new([24, 24, 12], affine).unwrap(), dataset, number)
}

fn write_on(grid: Grid, dataset: &Path, number: u32) -> MadeUpSubject {
    let mut random = Random(number.wrapping_mul(2_654_435_761).wrapping_add(1));
    let balls: Vec<([f64; 3], f64, u8)> = (0..6)
        .map(|n| {
            let place = [9.0 * f64::from(n / 2 - 1), 12.0 * f64::from(n % 2) - 6.0, 0.0];
            let centre = place.map(|at| at + 2.0 * random.next() - 1.0);
            if (n + number as i32) % 2 == 0 { (centre, 2.0, 1) } else { (centre, 3.2, 2) }
        })
        .collect();
    let inside = |voxel| apart(grid.position_mm(voxel), [0.0; 3]) < 16.0;
    let truth = Volume::from_fn(grid, |voxel| {
        let place = grid.position_mm(voxel);
        let ball = balls.iter().find(|(centre, radius, _)| apart(place, *centre) <= *radius);
        ball.map_or(0_u8, |(_, _, label)| *label)
    });
    let mut image = |tissue: f32, lesions: [f32; 2]| {
        Volume::from_fn(grid, |voxel| {
            let value = match truth[voxel] {
                _ if !inside(voxel) => return 0.0,
                0 => tissue,
                label => lesions[usize::from(label) - 1],
            };
            value + 0.1 * (random.next() as f32 - 0.5)
        })
    };

    let id = format!("sub-{number:02}");
    let anat = dataset.join(&id).join("anat");
    let truths = dataset.join("derivatives/truth").join(&id).join("anat");
    fs::create_dir_all(&anat).unwrap();
    fs::create_dir_all(&truths).unwrap();
    let subject = MadeUpSubject {
        swi: anat.join(format!("{id}_acq-swi_T2starw.nii.gz")),
        qsm: anat.join(format!("{id}_Chimap.nii.gz")),
        t2w: anat.join(format!("{id}_T2w.nii.gz")),
        truth: truths.join(format!("{id}_acq-swi_seg-lesions_dseg.nii.gz")),
        id,
    };
    for (path, tissue, lesions) in [
        (&subject.swi, 1.0, [0.5, 0.5]),
        (&subject.qsm, 0.0, [0.6, 0.3]),
        (&subject.t2w, 1.0, [0.95, 0.7]),
    ] {
        nifti::write(path, &image(tissue, lesions), None).unwrap();
    }
    nifti::write(&subject.truth, &truth, None).unwrap();
    subject
}

/// Takes some of a subject's lesions, by their place in the label map's order, out of the label map and into a mask of
/// unknown places beside it, with a margin of a voxel: as if nobody had looked for them. Returns the mask's path.
///
/// # Panics
/// If the label map cannot be read or a file cannot be written.
pub fn forget_lesions(subject: &MadeUpSubject, forget: impl Fn(usize) -> bool) -> PathBuf {
    let mut truth = nifti::read_integers(&subject.truth).unwrap().volume.map(|&label| label as u8);
    let lesions = components(&truth, 0, Connectivity::TwentySix).into_iter().enumerate();
    let mut unknown = truth.map(|_| 0_u8);
    for (_, lesion) in lesions.filter(|(n, _)| forget(*n)) {
        for index in lesion.voxels {
            truth.data_mut()[index] = 0;
            let [i, j, k] = truth.grid().voxel(index);
            for n in 0..27 {
                unknown[[i + n % 3 - 1, j + n / 3 % 3 - 1, k + n / 9 - 1]] = 1;
            }
        }
    }
    let path = subject.truth.with_file_name(format!("{}_desc-unknown_mask.nii.gz", subject.id));
    nifti::write(&subject.truth, &truth, None).unwrap();
    nifti::write(&path, &unknown, None).unwrap();
    path
}

/// Copies a subject's scan into a dataset under the names of its implanted copy with a number, as `deepmir implant` writes
/// them. The lesions that `native` names, as with [`forget_lesions`], are unknown; the others are implants.
///
/// # Panics
/// If a file cannot be read or written.
pub fn write_implanted_copy(
    subject: &MadeUpSubject,
    dataset: &Path,
    number: u32,
    native: impl Fn(usize) -> bool,
) {
    let session = format!("ses-implant{number:02}");
    let renamed = |path: &Path, folder: &Path| {
        let folder = folder.join(&subject.id).join(&session).join("anat");
        fs::create_dir_all(&folder).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let to = folder.join(name.replacen(&subject.id, &format!("{}_{session}", subject.id), 1));
        fs::copy(path, &to).unwrap();
        to
    };
    let [swi, qsm, t2w] =
        [&subject.swi, &subject.qsm, &subject.t2w].map(|image| renamed(image, dataset));
    let truth = renamed(&subject.truth, &dataset.join("derivatives/truth"));
    let id = format!("{}_{session}", subject.id);
    forget_lesions(&MadeUpSubject { id, swi, qsm, t2w, truth }, native);
    let description = r#"{"Name": "implanted", "BIDSVersion": "1.10.0"}"#;
    fs::write(dataset.join("dataset_description.json"), description).unwrap();
}

/// Every file below a folder, in order.
///
/// # Panics
/// If a folder cannot be read.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Writes an image again, not gzipped, with other bytes at some places of its header.
///
/// # Panics
/// If the image cannot be read or the file cannot be written.
pub fn write_with_header(image: &Path, to: &Path, changes: &[(usize, &[u8])]) {
    let nifti::Image { volume, header } = nifti::read(image).unwrap();
    let mut bytes = nifti::encode(&volume, Some(&header));
    for (at, new) in changes {
        bytes[*at..at + new.len()].copy_from_slice(new);
    }
    fs::write(to, bytes).unwrap();
}

fn apart(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum::<f64>().sqrt()
}

/// A linear congruential generator: enough for noise that is the same everywhere.
struct Random(u32);

impl Random {
    /// Uniform from 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0 >> 8) / f64::from(1 << 24)
    }
}
