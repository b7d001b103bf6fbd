//! DICOM files, which the tests of `deepmir-dicom` have, and results that lie on one of their series.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use deepmir_volume::{Affine, Grid, Volume, nifti};

use super::Scene;
use crate::mutate::zip;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deepmir-dicom/tests/fixtures");
/// The SWI of a Siemens study, by number of the series, and its grid.
const SERIES: &str = "08-";
const SHAPE: [usize; 3] = [10, 8, 6];
const AFFINE: [[f64; 4]; 4] = [
    [-0.794_036_9, -0.026_534_576, 0.236_498_59, 40.185_741],
    [0.0, 0.873_266_16, 0.483_843_8, 43.887_138],
    [0.097_495_474, -0.216_106_79, 1.926_126_6, -18.487_253],
    [0.0, 0.0, 0.0, 1.0],
];
const TABLE: &str = "lesion_id\tclass\tcertainty\tregion\tmars_region\tlobe\tside\tx_mm\ty_mm\tz_mm\tvolume_mm3\t\
    diameter_mm\tbombs_size\tn_voxels\tmean_probability\tmax_probability\tchi_mean_ppm\tchi_total_ppm_mm3\t\
    swi_contrast\tt2w_contrast\tsphericity\tnote\tlesion_probability\n\
    1\tCMB\tdefinite\tlobar\tfrontal\tfrontal\tleft\t1.0\t2.0\t3.0\t4.000\t1.97\t<5\t2\t0.9\t0.95\t0.5\tn/a\tn/a\tn/a\t\
    1.000\tn/a\t0.91\n";

/// An SWI with a segmentation drawn on it, images compressed in several ways, an object of many frames, and a zip archive.
pub fn import(scene: Scene) -> Result<Scene> {
    let dicom = scene.folder.join("dicom");
    take(&format!("{FIXTURES}/siemens"), SERIES, &dicom)?;
    take(&format!("{FIXTURES}/archive"), "02-", &dicom)?;
    take(&format!("{FIXTURES}/philips"), "IM", &dicom)?;
    take(&format!("{FIXTURES}/segments"), "dcmqi", &dicom)?;
    for series in ["04-", "05-"] {
        take(&format!("{FIXTURES}/compressed"), series, &dicom)?;
    }
    let zipped = scene.folder.join("zipped");
    take(&format!("{FIXTURES}/archive"), "03-", &zipped)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(&zipped)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((format!("folder/{name}"), fs::read(path)?));
    }
    files.sort();
    fs::remove_dir_all(&zipped)?;
    fs::write(dicom.join("study.zip"), zip::pack(&files)?)?;
    Ok(scene
        .command("import dicom out --segments Microbleeds=CMB")
        .command("import dicom out --segments Microbleeds=none --dry-run")
        .command("import dicom/study.zip out")
        .command("import dicom out --keep-dates --segments Microbleeds=NHID")
        .piece_by_piece())
}

/// Results on the same SWI.
pub fn export(scene: Scene) -> Result<Scene> {
    take(&format!("{FIXTURES}/siemens"), SERIES, &scene.folder.join("dicom"))?;
    let results = scene.folder.join("results");
    fs::create_dir_all(&results)?;
    let affine = Affine::from_rows(AFFINE).context("an affine")?;
    let mut labels = Volume::filled(Grid::new(SHAPE, affine)?, 0_u8);
    labels.data_mut()[137..139].fill(1);
    for name in ["lesions", "instances"] {
        let path = results.join(format!("sub-01_seg-{name}_dseg.nii.gz"));
        nifti::write(&path, &labels, None)?;
    }
    fs::write(results.join("sub-01_desc-lesions.tsv"), TABLE)?;
    let told = "{\"Sources\": [\"gone.nii.gz\"], \"Model\": \"m\", \"ModelId\": \"1\"}\n";
    fs::write(results.join("sub-01_seg-lesions_dseg.json"), told)?;
    Ok(scene
        .command("export results --dicom dicom -o out")
        .command("export results --dicom dicom -o out --instances")
        .command("export results --dicom dicom -o out --series 8"))
}

/// Copies the files of a folder whose names begin so, under names that tell what they are.
fn take(from: &str, begin: &str, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.to_owned())? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(begin) {
            fs::copy(&path, to.join(format!("{name}.dcm")))?;
        }
    }
    Ok(())
}
