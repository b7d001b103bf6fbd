//! The files of one session.

use std::path::{Path, PathBuf};

use deepmir_cases::bids::{write_json, write_label_table, write_text};
use deepmir_volume::{Mask, Volume, nifti};
use rayon::prelude::*;
use serde_json::json;

use super::record::Record;
use crate::PhantomError;
use crate::config::{OutputConfig, ScanConfig};
use crate::simulate::Scan;
use crate::truth::write_sources;

/// Which session of which subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanName {
    /// The subject's label, without `sub-`.
    pub subject: String,
    /// The session's label, without `ses-`, if sessions are told apart.
    pub session: Option<String>,
}

impl ScanName {
    /// `sub-01` or `sub-01_ses-1`.
    pub fn prefix(&self) -> String {
        match &self.session {
            Some(session) => format!("sub-{}_ses-{session}", self.subject),
            None => format!("sub-{}", self.subject),
        }
    }

    /// The folder of the images inside a dataset: `sub-01/ses-1/anat`.
    pub fn folder(&self, dataset: &Path) -> PathBuf {
        let subject = dataset.join(format!("sub-{}", self.subject));
        match &self.session {
            Some(session) => subject.join(format!("ses-{session}")).join("anat"),
            None => subject.join("anat"),
        }
    }

    /// The record of a finished session.
    pub fn record(&self, dataset: &Path) -> PathBuf {
        self.folder(&truth_folder(dataset)).join(format!("{}_desc-phantom.json", self.prefix()))
    }
}

pub(super) fn truth_folder(dataset: &Path) -> PathBuf {
    dataset.join("derivatives").join("truth")
}

/// How a volume is stored.
enum Stored<'a> {
    /// Zero or more: 16 bits.
    Positive(&'a Volume<f32>),
    /// Both signs, up to a number: 16 bits.
    Signed(&'a Volume<f32>, f32),
    Exact(&'a Volume<f32>),
    Labels(&'a Volume<u8>),
    Mask(&'a Mask),
}

impl Stored<'_> {
    fn write(&self, path: &Path) -> Result<(), PhantomError> {
        let most = |volume: &Volume<f32>| {
            volume.data().iter().fold(0.0_f32, |most, value| most.max(value.abs())).max(1e-12)
        };
        match self {
            Self::Positive(volume) => nifti::write_scaled(path, volume, most(volume), None)?,
            Self::Signed(volume, largest) => {
                nifti::write_scaled_signed(path, volume, *largest, None)?;
            }
            Self::Exact(volume) => nifti::write(path, volume, None)?,
            Self::Labels(volume) => nifti::write(path, volume, None)?,
            Self::Mask(volume) => nifti::write(path, volume, None)?,
        }
        Ok(())
    }
}

/// Writes a session's images and truth; last the record, which says that all is there.
///
/// # Errors
/// If a file cannot be written. What was written so far stays, without the record.
pub fn write_bids(
    dataset: &Path,
    name: &ScanName,
    scan: &Scan,
    record: &Record,
) -> Result<(), PhantomError> {
    let (images, truths) = (name.folder(dataset), name.folder(&truth_folder(dataset)));
    for folder in [&images, &truths] {
        std::fs::create_dir_all(folder)
            .map_err(|source| PhantomError::Write { path: folder.clone(), source })?;
    }
    let prefix = name.prefix();
    let image = |suffix: &str| images.join(format!("{prefix}_{suffix}"));
    let truth = |suffix: &str| truths.join(format!("{prefix}_{suffix}"));
    let stripped = Stripped::new(scan, &record.config.output)?;

    let mut files: Vec<(PathBuf, Stored<'_>)> = vec![
        (image("T2w.nii.gz"), Stored::Positive(&stripped.t2w)),
        (truth("seg-lesions_dseg.nii.gz"), Stored::Labels(&scan.truth.lesions)),
        (truth("desc-brain_mask.nii.gz"), Stored::Mask(&scan.truth.brain_mask)),
    ];
    if let (Some(swi), Some(qsm)) = (&stripped.swi, &stripped.qsm_ppm) {
        files.push((image("acq-swi_T2starw.nii.gz"), Stored::Positive(swi)));
        let most = qsm.data().iter().fold(1e-6_f32, |most, value| most.max(value.abs()));
        files.push((image("Chimap.nii.gz"), Stored::Signed(qsm, most)));
    }
    if record.config.output.contents.has_raw() {
        for (n, (magnitude, phase)) in scan.magnitude.iter().zip(&scan.phase_rad).enumerate() {
            let echo = |part: &str| image(&format!("echo-{}_part-{part}_MEGRE.nii.gz", n + 1));
            files.push((echo("mag"), Stored::Positive(magnitude)));
            files.push((echo("phase"), Stored::Signed(phase, std::f32::consts::PI)));
        }
    }
    if record.config.output.true_maps {
        files.push((truth("Chimap.nii.gz"), Stored::Exact(&scan.truth.chi_ppm)));
        files.push((truth("fieldmap.nii.gz"), Stored::Exact(&scan.truth.field_ppm)));
        files.push((truth("R2starmap.nii.gz"), Stored::Positive(&scan.truth.r2star_hz)));
    }
    if let Some(parts) = &scan.truth.parts {
        files.push((truth("paramagneticmap.nii.gz"), Stored::Exact(&parts.chi_positive_ppm)));
        files.push((truth("diamagneticmap.nii.gz"), Stored::Exact(&parts.chi_negative_ppm)));
        files.push((truth("R2map.nii.gz"), Stored::Positive(&parts.r2_hz)));
    }
    files.par_iter().try_for_each(|(path, stored)| stored.write(path))?;
    sidecars(&image, scan, record)?;
    truth_tables(&truth, scan)?;
    let maps = [("Chimap", "ppm"), ("R2starmap", "Hz")].into_iter();
    let parts = [("paramagneticmap", "ppm"), ("diamagneticmap", "ppm"), ("R2map", "Hz")];
    let maps = maps.filter(|_| record.config.output.true_maps);
    let parts = parts.into_iter().filter(|_| scan.truth.parts.is_some());
    for (map, units) in maps.chain(parts) {
        let sidecar = json!({ "SkullStripped": false, "Units": units });
        write_json(&truth(&format!("{map}.json")), &sidecar)?;
    }
    Ok(write_json(&name.record(dataset), record)?)
}

/// The images as they are handed out.
struct Stripped {
    swi: Option<Volume<f32>>,
    qsm_ppm: Option<Volume<f32>>,
    t2w: Volume<f32>,
}

impl Stripped {
    fn new(scan: &Scan, output: &OutputConfig) -> Result<Self, PhantomError> {
        let mask = &scan.truth.brain_mask;
        let strip = |volume: &Volume<f32>, mask: &Mask| {
            let mut volume = volume.clone();
            if output.skull_strip {
                volume.data_mut().iter_mut().zip(mask.data()).for_each(|(value, &inside)| {
                    *value = if inside { *value } else { 0.0 };
                });
            }
            volume
        };
        let t2w_mask = if scan.t2w.grid().same_as(mask.grid()) {
            mask.clone()
        } else {
            deepmir_volume::resample_labels(mask, scan.t2w.grid(), false)
        };
        Ok(Self {
            swi: scan.maps.as_ref().map(|maps| strip(&maps.swi, mask)),
            qsm_ppm: scan.maps.as_ref().map(|maps| maps.qsm_ppm.clone()),
            t2w: strip(&scan.t2w, &t2w_mask),
        })
    }
}

/// The JSON files beside the images.
fn sidecars(
    image: &impl Fn(&str) -> PathBuf,
    scan: &Scan,
    record: &Record,
) -> Result<(), PhantomError> {
    let config = &record.config;
    let t2w = &config.t2w;
    let field_strength = config.scan.field_strength_t;
    write_json(
        &image("T2w.json"),
        &json!({
            "EchoTime": t2w.echo_time_s,
            "RepetitionTime": t2w.repetition_time_s,
            "MagneticFieldStrength": field_strength,
            "SkullStripped": config.output.skull_strip,
        }),
    )?;
    if scan.maps.is_some() {
        let mut swi = gradient_echo(&config.scan, scan);
        swi["EchoTime"] = json!(record.swi_echo_time_s());
        swi["SkullStripped"] = json!(config.output.skull_strip);
        write_json(&image("acq-swi_T2starw.json"), &swi)?;
        let mut qsm = gradient_echo(&config.scan, scan);
        qsm["Units"] = json!("ppm");
        qsm["SkullStripped"] = json!(true);
        write_json(&image("Chimap.json"), &qsm)?;
    }
    if config.output.contents.has_raw() {
        for (n, time) in config.scan.echo_times_s.iter().enumerate() {
            let mut echo = gradient_echo(&config.scan, scan);
            echo["EchoTime"] = json!(time);
            write_json(&image(&format!("echo-{}_part-mag_MEGRE.json", n + 1)), &echo)?;
            echo["Units"] = json!("rad");
            write_json(&image(&format!("echo-{}_part-phase_MEGRE.json", n + 1)), &echo)?;
        }
    }
    Ok(())
}

fn gradient_echo(config: &ScanConfig, scan: &Scan) -> serde_json::Value {
    json!({
        "MagneticFieldStrength": config.field_strength_t,
        "FlipAngle": config.flip_angle_deg,
        "RepetitionTimeExcitation": config.repetition_time_s,
        "B0Direction": scan.geometry.b0_direction,
    })
}

/// The tables of the truth.
fn truth_tables(truth: &impl Fn(&str) -> PathBuf, scan: &Scan) -> Result<(), PhantomError> {
    write_label_table(&truth("seg-lesions_dseg.tsv"))?;
    write_sources(&truth("desc-sources_list.tsv"), &scan.truth.sources)?;
    let rows = scan.drawn.t2w_to_gradient_echo;
    let lines: Vec<String> =
        rows.iter().map(|row| row.map(|value| format!("{value:.9}")).join(" ")).collect();
    let path = truth("from-T2w_to-T2starw_mode-image_xfm.txt");
    Ok(write_text(&path, &(lines.join("\n") + "\n"))?)
}
