//! A data set of nnU-Net as a BIDS dataset.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use deepmir_volume::atomic::{NewFolder, link};
use deepmir_volume::nifti;
use serde_json::{Value, json};

use super::{ENDING, NnunetLabels, description};
use crate::{CaseError, bids};

/// What a channel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NnunetChannel {
    /// Susceptibility-weighted.
    Swi,
    /// The magnitude of a gradient echo.
    T2StarMagnitude,
    /// Susceptibility in ppm.
    Qsm,
    /// T2-weighted.
    T2w,
    /// Nothing that is used here.
    Unused,
}

impl NnunetChannel {
    /// The end of its name in BIDS.
    fn suffix(self) -> Option<&'static str> {
        match self {
            Self::Swi => Some("swi"),
            Self::T2StarMagnitude => Some("T2starw"),
            Self::Qsm => Some("Chimap"),
            Self::T2w => Some("T2w"),
            Self::Unused => None,
        }
    }
}

impl FromStr for NnunetChannel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "swi" | "swan" => Ok(Self::Swi),
            "t2*" | "t2s" | "t2star" | "t2starw" | "t2*w" => Ok(Self::T2StarMagnitude),
            "qsm" | "chimap" => Ok(Self::Qsm),
            "t2" | "t2w" => Ok(Self::T2w),
            "unused" | "t1" | "t1w" | "flair" => Ok(Self::Unused),
            _ => Err(format!(
                "{text:?} is no image that is used here; there are SWI, T2star (a magnitude), QSM, T2w and unused"
            )),
        }
    }
}

/// Makes a new BIDS dataset of a data set of nnU-Net: links to the channels of `imagesTr` and `imagesTs` as SWI, T2*-weighted
/// magnitude, QSM (which must be in ppm) or T2w, and the label maps in `derivatives/labels`, unknown places apart from them.
/// Cases called `sub-01` or `sub-01_ses-2_run-1` keep their names; others are called after their letters and digits. `channels`
/// are what the channels show, in order, or empty for what `dataset.json` says. `progress` is called with the scans done and
/// their number. Returns how many scans there are with a label map, and without.
///
/// # Errors
/// A folder that is no data set of nnU-Net, or `out` that exists; channels or labels that are not ours; a case without one of
/// its channels; two cases of one name.
pub fn nnunet_to_bids(
    folder: &Path,
    channels: &[NnunetChannel],
    out: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(usize, usize), CaseError> {
    let source = Source::open(folder, channels)?;
    if out.exists() {
        let reason = "it exists already".to_owned();
        return Err(CaseError::NoPlaceForResults { path: out.to_owned(), reason });
    }
    let failed = |path: &Path, error| CaseError::Write { path: path.to_owned(), source: error };
    let making = NewFolder::begin(out).map_err(|error| failed(out, error))?;
    let (new, labels) = (making.path(), making.path().join("derivatives/labels"));
    std::fs::create_dir_all(&labels).map_err(|error| failed(out, error))?;
    let description = json!({ "Name": source.name, "BIDSVersion": "1.10.0", "DatasetType": "raw" });
    bids::write_json(&new.join("dataset_description.json"), &description)?;
    bids::write_dataset_description(&labels)?;
    let mut with_labels = 0;
    for (done, (scan, case)) in source.cases.iter().enumerate() {
        progress(done, source.cases.len());
        let anat = scan_folder(scan);
        for (channel, image) in &case.images {
            let Some(suffix) = channel.suffix() else { continue };
            let place = new.join(&anat).join(format!("{scan}_{suffix}{}", source.ending));
            link(image, &place).map_err(|error| failed(&place, error))?;
        }
        let Some(map) = &case.labels else { continue };
        with_labels += 1;
        let (known, unknown) = source.labels.read_map(map)?;
        let header = nifti::read_header(map)?;
        let folder = labels.join(&anat);
        std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        let place = |ending: &str| folder.join(format!("{scan}_{ending}.nii.gz"));
        nifti::write(&place("seg-lesions_dseg"), known.volume(), Some(&header))?;
        if let Some(unknown) = unknown {
            nifti::write(&place("desc-unknown_mask"), &unknown, Some(&header))?;
        }
    }
    progress(source.cases.len(), source.cases.len());
    making.finish().map_err(|error| failed(out, error))?;
    Ok((with_labels, source.cases.len() - with_labels))
}

/// What was found.
struct Source {
    name: String,
    ending: String,
    labels: NnunetLabels,
    /// By the name of the scan.
    cases: BTreeMap<String, SourceCase>,
}

struct SourceCase {
    images: Vec<(NnunetChannel, PathBuf)>,
    labels: Option<PathBuf>,
}

impl Source {
    fn open(folder: &Path, given: &[NnunetChannel]) -> Result<Self, CaseError> {
        let path = folder.join(description::FILE);
        let fault =
            |path: &Path, reason: String| CaseError::Nnunet { path: path.to_owned(), reason };
        if !path.is_file() || !folder.join("imagesTr").is_dir() {
            let reason = "no data set of nnU-Net version 2, which has dataset.json and imagesTr; give its folder";
            return Err(fault(folder, reason.to_owned()));
        }
        let description = description::read(&path)?;
        let labels = NnunetLabels::read(&description["labels"]).map_err(|why| fault(&path, why))?;
        let ending = description["file_ending"].as_str().unwrap_or(ENDING).to_owned();
        if ![ENDING, ".nii"].contains(&ending.as_str()) {
            let reason =
                format!("its images are {ending} files, and NIfTI is read here; convert them");
            return Err(fault(&path, reason));
        }
        let channels = channels(&description, given).map_err(|why| fault(&path, why))?;
        let mut cases: BTreeMap<String, SourceCase> = BTreeMap::new();
        for images in ["imagesTr", "imagesTs"].map(|name| folder.join(name)) {
            if !images.is_dir() {
                continue;
            }
            let first = format!("_0000{ending}");
            for name in names_in(&images)? {
                let Some(case) = name.strip_suffix(&first) else { continue };
                let mut found = Vec::new();
                for (number, channel) in channels.iter().enumerate() {
                    let image = images.join(format!("{case}_{number:04}{ending}"));
                    if !image.is_file() {
                        return Err(fault(&image, "the case lacks this channel".to_owned()));
                    }
                    let image = image.canonicalize();
                    let image =
                        image.map_err(|source| CaseError::Read { path: images.clone(), source })?;
                    found.push((*channel, image));
                }
                let map = folder.join("labelsTr").join(format!("{case}{ending}"));
                let labels = Some(map).filter(|map| images.ends_with("imagesTr") && map.is_file());
                let scan = scan_name(case);
                if cases.insert(scan.clone(), SourceCase { images: found, labels }).is_some() {
                    let reason = format!("two of its cases would be called {scan}; rename {case}");
                    return Err(fault(&images, reason));
                }
            }
        }
        if cases.is_empty() {
            let reason = format!("no images (CASE_0000{ending}) in imagesTr");
            return Err(fault(folder, reason));
        }
        let name = description["name"].as_str().unwrap_or("data set of nnU-Net").to_owned();
        Ok(Self { name, ending, labels, cases })
    }
}

/// What the channels show: as given, or by their names.
fn channels(description: &Value, given: &[NnunetChannel]) -> Result<Vec<NnunetChannel>, String> {
    let named = description["channel_names"].as_object().ok_or("it has no channel_names")?;
    let name = |number: usize| named.get(&number.to_string()).and_then(Value::as_str);
    let names: Option<Vec<&str>> = (0..named.len()).map(name).collect();
    let names = names.ok_or("its channel_names are not numbered from 0")?;
    let listed = names.join(", ");
    let channels = match given {
        [] => names
            .iter()
            .map(|name| name.parse())
            .collect::<Result<Vec<NnunetChannel>, _>>()
            .map_err(|why| {
                format!("{why}; say what its channels ({listed}) show with --channels")
            })?,
        given if given.len() == names.len() => given.to_vec(),
        given => {
            return Err(format!(
                "--channels has {} and there are {}: {listed}",
                given.len(),
                names.len()
            ));
        }
    };
    let mut used: Vec<&str> = channels.iter().filter_map(|channel| channel.suffix()).collect();
    used.sort_unstable();
    if used.is_empty() || used.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(format!(
            "of its channels ({listed}) none is used, or two are the same; say what they show with --channels"
        ));
    }
    Ok(channels)
}

fn names_in(folder: &Path) -> Result<Vec<String>, CaseError> {
    let failed = |source| CaseError::Read { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let names: Result<Vec<String>, _> =
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect();
    let mut names = names.map_err(failed)?;
    names.sort();
    Ok(names)
}

/// `sub-01_ses-2_run-1` stays, session and run being optional; anything else becomes a subject.
fn scan_name(case: &str) -> String {
    let is_label =
        |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric());
    let keys: Option<Vec<&str>> = case
        .split('_')
        .map(|part| part.split_once('-').filter(|(_, label)| is_label(label)).map(|(key, _)| key))
        .collect();
    let names_a_scan = matches!(
        keys.as_deref(),
        Some(["sub"] | ["sub", "ses"] | ["sub", "run"] | ["sub", "ses", "run"])
    );
    if names_a_scan {
        return case.to_owned();
    }
    let label: String = case.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("sub-{}", if label.is_empty() { "0" } else { &label })
}

/// `sub-01/ses-2/anat`.
fn scan_folder(scan: &str) -> PathBuf {
    scan.split('_').filter(|part| !part.starts_with("run-")).chain(["anat"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_get_names_of_bids_and_channels_their_meaning() {
        for (case, scan) in [
            ("sub-01", "sub-01"),
            ("sub-01_ses-b2", "sub-01_ses-b2"),
            ("sub-01_ses-2_run-1", "sub-01_ses-2_run-1"),
            ("sub-01_acq-2", "sub-sub01acq2"),
            ("BRATS_001", "sub-BRATS001"),
            ("é", "sub-0"),
        ] {
            assert_eq!(scan_name(case), scan);
        }
        assert_eq!(scan_folder("sub-01_ses-b2_run-1"), Path::new("sub-01/ses-b2/anat"));
        let of = |names: Value| channels(&json!({ "channel_names": names }), &[]);
        let found = of(json!({"0": "T1", "1": "T2*", "2": "chimap"})).unwrap();
        use NnunetChannel::{Qsm, T2StarMagnitude, Unused};
        assert_eq!(found, [Unused, T2StarMagnitude, Qsm]);
        assert!(of(json!({"0": "FLAIR"})).unwrap_err().contains("none is used"));
        assert!(of(json!({"1": "SWI"})).unwrap_err().contains("numbered from 0"));
        assert!(of(json!(["SWI"])).is_err());
    }
}
