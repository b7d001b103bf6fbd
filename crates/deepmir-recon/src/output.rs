//! Writing results under their BIDS names.

use std::path::{Path, PathBuf};

use deepmir_cases::bids::write_json;
use deepmir_volume::Volume;
use deepmir_volume::nifti::{self, Header};
use serde_json::{Value, json};

use crate::pipeline::Reconstruction;
use crate::swi::{SusceptibilityWeighting, SwiFromSusceptibility};
use crate::{GYROMAGNETIC_RATIO_HZ_PER_T, ReconError};

/// Where and under which name results are written.
#[derive(Clone, Copy, Debug)]
pub struct OutputNames<'a> {
    /// The folder, which must exist.
    pub folder: &'a Path,
    /// What all names begin with: `sub-01`, `sub-01_ses-2_run-1`.
    pub stem: &'a str,
}

/// Endings of the maps on the way from phase to susceptibility.
pub const INTERMEDIATE: [&str; 3] =
    ["desc-total_fieldmap", "desc-local_fieldmap", "desc-quality_fieldmap"];

/// Endings of images darkened by susceptibility, which nothing takes for an SWI or a magnitude.
const TSWI: &str = "tSWI";
const SMWI: &str = "SMWI";

/// Endings of the parts of susceptibility, which nothing takes for a susceptibility map.
const PARTS: [&str; 2] = ["paramagneticmap", "diamagneticmap"];

/// The maps of both parts of susceptibility beside a susceptibility map (`*_Chimap`), if both are there: paramagnetic
/// (0 or more), diamagnetic (0 or less).
pub fn parts_beside(chi_map: &Path) -> Option<[PathBuf; 2]> {
    let name = chi_map.file_name()?.to_str()?;
    let (stem, ending) = name.split_once("_Chimap.")?;
    let paths = PARTS.map(|part| chi_map.with_file_name(format!("{stem}_{part}.{ending}")));
    paths.iter().all(|path| path.is_file()).then_some(paths)
}

/// Endings of all other maps.
const RESULTS: [&str; 10] = [
    "acq-swi_T2starw",
    "minIP",
    TSWI,
    SMWI,
    "Chimap",
    PARTS[0],
    PARTS[1],
    "R2starmap",
    "desc-brain_mask",
    "desc-reliable_mask",
];

/// Whether a reconstruction under a stem writes a file of this name, T2w and its transform among them if it aligns one.
pub fn writes(stem: &str, aligns_t2w: bool, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('_')) else {
        return false;
    };
    let ending = rest.split('.').next().unwrap_or_default();
    let of_t2w = ending == "T2w" || ending.starts_with("from-") && ending.ends_with("_xfm");
    RESULTS.contains(&ending) || INTERMEDIATE.contains(&ending) || aligns_t2w && of_t2w
}

impl OutputNames<'_> {
    /// The path of one result: `ending` is entities, suffix and ending after the stem.
    fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}_{ending}", self.stem))
    }

    fn volume(
        &self,
        ending: &str,
        volume: &Volume<f32>,
        header: &Header,
        sidecar: &Value,
    ) -> Result<PathBuf, ReconError> {
        let path = self.path(&format!("{ending}.nii.gz"));
        nifti::write(&path, volume, Some(header))?;
        self.sidecar(ending, sidecar)?;
        Ok(path)
    }

    /// Removes a map that an earlier reconstruction may have left here, of other settings perhaps.
    fn remove(&self, ending: &str) -> Result<(), ReconError> {
        for kind in ["nii.gz", "json"] {
            let path = self.path(&format!("{ending}.{kind}"));
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(ReconError::Write { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn sidecar(&self, ending: &str, fields: &Value) -> Result<(), ReconError> {
        Ok(write_json(&self.path(&format!("{ending}.json")), fields)?)
    }
}

/// What is written beside the maps.
#[derive(Clone, Copy, Debug)]
pub struct OutputContext<'a> {
    /// The scan's header, whose grid and orientation the outputs carry.
    pub header: &'a Header,
    /// Tesla.
    pub field_strength_t: f64,
    /// The files that the maps come from.
    pub sources: &'a [String],
}

/// Writes all maps of a reconstruction, each with its JSON: `*_acq-swi_T2starw` (SWI), `*_minIP`,
/// `*_Chimap` (ppm), `*_R2starmap` (per second), `*_desc-brain_mask`, `*_desc-reliable_mask`,
/// `*_desc-total_fieldmap` and `*_desc-local_fieldmap` (hertz), `*_desc-quality_fieldmap` (0 to 1).
/// `*_tSWI` or `*_SMWI`, where it was made, has method and settings in its JSON
/// (`SusceptibilityWeighting`). That of `*_Chimap` says whose median is zero (`ZeroReference`). The JSON of these, SWI
/// and susceptibility has the warnings (`Warnings`), if there are any. `*_paramagneticmap` and `*_diamagneticmap` (ppm)
/// have the settings of the separation (`Separation`) and what was noticed about R2. Of these, `*_tSWI`, `*_SMWI` and
/// `*_R2starmap`, those of an earlier reconstruction that this one did not make are removed. Returns the images' paths.
///
/// # Errors
/// If a file cannot be written; what was written before it stays.
pub fn write_reconstruction(
    reconstruction: &Reconstruction,
    names: &OutputNames,
    context: &OutputContext,
) -> Result<Vec<PathBuf>, ReconError> {
    write_reconstruction_apart(reconstruction, names, names, context)
}

/// As [`write_reconstruction`], with the maps of [`INTERMEDIATE`] in the folder of `intermediate`.
///
/// # Errors
/// As [`write_reconstruction`].
pub fn write_reconstruction_apart(
    reconstruction: &Reconstruction,
    names: &OutputNames,
    intermediate: &OutputNames,
    context: &OutputContext,
) -> Result<Vec<PathBuf>, ReconError> {
    let header = context.header;
    // SWI and its projection show the whole head; maps are zero outside the brain.
    let describe = |text: &str, units: &str, skull_stripped: bool| {
        json!({
            "Description": text,
            "Units": units,
            "SkullStripped": skull_stripped,
            "Sources": context.sources,
        })
    };
    // What reads the maps later must know what was noticed when they were made.
    let noticed = |mut sidecar: Value| {
        if let Some(fields) = sidecar.as_object_mut()
            && !reconstruction.warnings.is_empty()
        {
            fields.insert("Warnings".to_owned(), json!(reconstruction.warnings));
        }
        sidecar
    };
    let hertz_per_ppm = (GYROMAGNETIC_RATIO_HZ_PER_T * context.field_strength_t * 1e-6) as f32;
    let hertz = |field: &Volume<f32>| field.map(|ppm| ppm * hertz_per_ppm);
    let mut paths = vec![
        names.volume(
            "acq-swi_T2starw",
            &reconstruction.swi,
            header,
            &noticed(describe("Susceptibility-weighted image", "arbitrary", false)),
        )?,
        names.volume(
            "minIP",
            &reconstruction.minimum_intensity_projection,
            header,
            &describe(
                "Minimum-intensity projection of the susceptibility-weighted image",
                "arbitrary",
                false,
            ),
        )?,
        names.volume(
            "Chimap",
            &reconstruction.chi_ppm,
            header,
            &referred(noticed(describe("Magnetic susceptibility", "ppm", true)), reconstruction),
        )?,
        intermediate.volume(
            INTERMEDIATE[0],
            &hertz(&reconstruction.total_field_ppm),
            header,
            &describe("Field offset", "Hz", true),
        )?,
        intermediate.volume(
            INTERMEDIATE[1],
            &hertz(&reconstruction.local_field_ppm),
            header,
            &describe("Field offset of the brain's own sources", "Hz", true),
        )?,
        intermediate.volume(
            INTERMEDIATE[2],
            &reconstruction.quality,
            header,
            &describe("Quality of the field, 0 to 1", "arbitrary", true),
        )?,
    ];
    if let Some(weighted) = &reconstruction.swi_from_susceptibility {
        let (ending, text) = ending_and_description(weighted.weighting);
        let sidecar = with_settings(noticed(describe(text, "arbitrary", false)), weighted);
        paths.push(names.volume(ending, &weighted.image, header, &sidecar)?);
    }
    if let Some(rate) = &reconstruction.r2_star_per_s {
        let sidecar = describe("Effective transverse relaxation rate R2*", "s^-1", true);
        paths.push(names.volume("R2starmap", rate, header, &sidecar)?);
    }
    if let Some(separated) = &reconstruction.separated {
        let maps = [&separated.positive_ppm, &separated.negative_ppm];
        for ((ending, map), kind) in
            PARTS.into_iter().zip(maps).zip(["Paramagnetic", "Diamagnetic"])
        {
            let text = format!("{kind} part of the magnetic susceptibility");
            let mut sidecar = referred(noticed(describe(&text, "ppm", true)), reconstruction);
            let warnings: Vec<_> =
                reconstruction.warnings.iter().chain(&separated.warnings).collect();
            if !warnings.is_empty() {
                sidecar["Warnings"] = json!(warnings);
            }
            sidecar["Separation"] = json!({
                "Method": "voxelwise least squares",
                "R2": separated.r2_source,
                "R2Share": separated.config.r2_share.filter(|_| separated.r2_source.is_none()),
                "R2PrimeHzPerPpm": separated.config.hz_per_ppm_at(context.field_strength_t),
            });
            paths.push(names.volume(ending, map, header, &sidecar)?);
        }
    }
    for ending in [TSWI, SMWI, "R2starmap", PARTS[0], PARTS[1]] {
        if !paths.contains(&names.path(&format!("{ending}.nii.gz"))) {
            names.remove(ending)?;
        }
    }
    for (ending, text, mask) in [
        ("desc-brain_mask", "Brain", &reconstruction.brain),
        ("desc-reliable_mask", "Where susceptibility is reliable", &reconstruction.reliable),
    ] {
        let path = names.path(&format!("{ending}.nii.gz"));
        nifti::write(&path, mask, Some(header))?;
        let sidecar = json!({ "Description": text, "Type": "Brain", "Sources": context.sources });
        names.sidecar(ending, &sidecar)?;
        paths.push(path);
    }
    Ok(paths)
}

/// Ending and description of an image darkened by susceptibility.
fn ending_and_description(weighting: SusceptibilityWeighting) -> (&'static str, &'static str) {
    match weighting {
        SusceptibilityWeighting::Tswi { .. } => (
            TSWI,
            "True susceptibility-weighted image (Liu et al. 2014): the magnitude of one echo, \
             darkened where susceptibility is high",
        ),
        SusceptibilityWeighting::Smwi { .. } => (
            SMWI,
            "Susceptibility map-weighted image (Gho et al. 2014): the combined magnitude of all \
             echoes, darkened where susceptibility is high",
        ),
    }
}

/// The sidecar of a susceptibility map with the place where it is zero.
fn referred(mut sidecar: Value, reconstruction: &Reconstruction) -> Value {
    if let Some(fields) = sidecar.as_object_mut() {
        fields.insert("ZeroReference".to_owned(), json!(reconstruction.zero));
    }
    sidecar
}

/// The sidecar with method, settings and the times of the echoes that the image shows.
fn with_settings(mut sidecar: Value, weighted: &SwiFromSusceptibility) -> Value {
    if let Some(fields) = sidecar.as_object_mut() {
        fields.insert("SusceptibilityWeighting".to_owned(), json!(weighted.weighting));
        let time = match weighted.echo_times_s[..] {
            [one] => json!(one),
            _ => json!(weighted.echo_times_s),
        };
        fields.insert("EchoTime".to_owned(), time);
    }
    sidecar
}

/// Writes an image that was brought to the scan's grid: `*_space-GRE_T2w`, say, by its suffix.
///
/// # Errors
/// If it cannot be written.
pub fn write_aligned(
    image: &Volume<f32>,
    suffix: &str,
    names: &OutputNames,
    context: &OutputContext,
) -> Result<PathBuf, ReconError> {
    let sidecar = json!({
        "Description": "Registered rigidly to the gradient-echo scan and resampled on its grid",
        "SkullStripped": false,
        "Sources": context.sources,
    });
    names.volume(suffix, image, context.header, &sidecar)
}
