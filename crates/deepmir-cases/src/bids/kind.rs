//! What an image of a dataset is: by its name and, where a name leaves it open, by its sidecar.

use std::path::Path;

use super::{BidsName, parse_object, sidecars};
use crate::Modality;

/// What an image is to this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An image to find lesions in.
    Image(Modality),
    /// A T2*-weighted magnitude: raw data of an SWI, and none.
    Magnitude,
    /// A part of a raw echo.
    Part(Part),
    /// The brain.
    BrainMask,
    /// R2, as spin echoes tell it.
    R2Map,
    /// An SWI over several slices.
    Projection,
    /// A phase image under the name of an SWI.
    Phase,
}

/// A part of a raw echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Magnitude,
    Phase,
    Real,
    Imaginary,
    /// It says nothing: a magnitude, if a phase is beside it.
    Unsaid,
}

/// Suffixes of gradient echoes, the best source first. Phase under `T1w` is of the gradient echo of the standard's own
/// example of a susceptibility map, or of an MPRAGE.
pub(super) const ECHO_SUFFIXES: [&str; 6] = ["megre", "gre", "t2starw", "swi", "swan", "t1w"];

impl Kind {
    /// Of an image; `None` for one that is nothing to this program.
    pub(super) fn of(path: &Path, name: &BidsName) -> Option<Self> {
        let suffix = name.suffix().to_lowercase();
        // Maps of something else are no images to look at.
        if ["seg", "label"].iter().any(|key| name.entity(key).is_some()) {
            return None;
        }
        if suffix == "mask" {
            return (name.entity("desc") == Some("brain")).then_some(Self::BrainMask);
        }
        let is_echo = ECHO_SUFFIXES.contains(&suffix.as_str());
        match name.entity("part").map(str::to_lowercase).as_deref() {
            Some("mag") if suffix == "t2w" => return Some(Self::Image(Modality::T2w)),
            Some("mag") if is_echo => return Some(Self::Part(Part::Magnitude)),
            Some("phase") if is_echo => return Some(Self::Part(Part::Phase)),
            Some("real") if is_echo => return Some(Self::Part(Part::Real)),
            Some("imag") if is_echo => return Some(Self::Part(Part::Imaginary)),
            Some(_) => return None,
            None => {}
        }
        let is_swi = ["swi", "swan"].contains(&suffix.as_str())
            || suffix == "t2starw" && says(name, "acq", &["swi", "swan"]);
        if name.entity("echo").is_some() {
            return is_echo.then_some(Self::Part(Part::Unsaid));
        }
        match suffix.as_str() {
            "chimap" | "qsm" => Some(Self::Image(Modality::Qsm)),
            "t2w" => Some(Self::Image(Modality::T2w)),
            "t1w" | "megre" | "gre" => Some(Self::Part(Part::Unsaid)),
            "minip" | "mip" => Some(Self::Projection),
            "r2map" => Some(Self::R2Map),
            "swi" | "swan" | "t2starw" if is_projection(name) => Some(Self::Projection),
            "swi" | "swan" | "t2starw" => Some(match Hint::of(path) {
                Hint::Projection => Self::Projection,
                Hint::Phase => Self::Phase,
                _ if is_swi => Self::Image(Modality::Swi),
                Hint::Swi => Self::Image(Modality::Swi),
                Hint::Magnitude | Hint::Nothing => Self::Magnitude,
            }),
            _ => None,
        }
    }
}

/// What is wrong with taking an image for an SWI, by its name and sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSwi {
    /// A projection over several slices.
    Projection,
    /// A phase image.
    Phase,
    /// A T2*-weighted magnitude.
    Magnitude,
}

/// Whether an image that was given as an SWI says that it is something else.
pub fn no_swi(path: &Path) -> Option<NoSwi> {
    let Some(name) = BidsName::parse(path) else {
        return match Hint::of(path) {
            Hint::Projection => Some(NoSwi::Projection),
            Hint::Phase => Some(NoSwi::Phase),
            Hint::Magnitude => Some(NoSwi::Magnitude),
            Hint::Swi | Hint::Nothing => None,
        };
    };
    match Kind::of(path, &name)? {
        Kind::Projection => Some(NoSwi::Projection),
        Kind::Phase | Kind::Part(Part::Phase) => Some(NoSwi::Phase),
        Kind::Magnitude | Kind::Part(Part::Magnitude | Part::Unsaid) => Some(NoSwi::Magnitude),
        _ => None,
    }
}

fn says(name: &BidsName, key: &str, words: &[&str]) -> bool {
    let value = name.entity(key).unwrap_or_default().to_lowercase();
    words.iter().any(|word| value.contains(word))
}

/// Whether an entity names a projection: `rec-mIP`, `acq-swiminIP`, `desc-MinIP`.
fn is_projection(name: &BidsName) -> bool {
    name.distinguishing().any(|(_, value)| {
        let value = value.to_lowercase();
        // Three letters alone stand in other words, too.
        value.contains("minip") || value.starts_with("mip") || value.ends_with("mip")
    })
}

/// What a sidecar says of an image.
enum Hint {
    Projection,
    Phase,
    Swi,
    /// A magnitude that says nothing of an SWI.
    Magnitude,
    Nothing,
}

impl Hint {
    /// From `ImageType` of the sidecars of an image, as the scanners of the large makers fill it.
    fn of(image: &Path) -> Self {
        let words = sidecars(image).iter().rev().find_map(|path| {
            parse_object(&std::fs::read(path).ok()?).ok()?.get("ImageType")?.as_array().cloned()
        });
        let words: Vec<String> = words
            .iter()
            .flatten()
            .filter_map(|word| Some(word.as_str()?.to_uppercase().replace([' ', '_'], "")))
            .collect();
        let any = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
        if any(&["MNIP", "MINIP", "MIP", "PROJECTIONIMAGE", "MINIMUM"]) {
            Self::Projection
        } else if any(&["P", "PHASE", "PHASEMAP"]) {
            Self::Phase
        } else if any(&["SWI", "SWAN"]) {
            Self::Swi
        } else if any(&["M", "MAGNITUDE", "MFFE"]) {
            Self::Magnitude
        } else {
            Self::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Contrast;

    fn kind(name: &str) -> Option<Kind> {
        Kind::of(Path::new(name), &BidsName::parse(Path::new(name)).unwrap())
    }

    #[test]
    fn a_magnitude_called_t2starw_is_no_swi() {
        for name in
            ["sub-01_T2starw.nii", "sub-01_acq-GRE_T2starw.nii", "sub-01_acq-highres_T2starw.nii"]
        {
            assert_eq!(kind(name), Some(Kind::Magnitude), "{name}");
            assert_eq!(no_swi(Path::new(name)), Some(NoSwi::Magnitude), "{name}");
        }
        let swi = Some(Kind::Image(Modality::Swi));
        for name in [
            "sub-01_acq-swi_T2starw.nii",
            "sub-01_acq-3DSWI_T2starw.nii",
            "sub-01_acq-SWAN_T2starw.nii",
            "sub-01_acq-hemipark_rec-norm_swi.nii",
            "sub-01_SWAN.nii",
            "sub-01_SWI.nii",
        ] {
            assert_eq!(kind(name), swi, "{name}");
            assert_eq!(no_swi(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn a_projection_is_never_an_swi() {
        for name in [
            "sub-01_rec-mIP_swi.nii",
            "sub-01_rec-MinIP_swi.nii",
            "sub-01_acq-swiminIP_T2starw.nii",
            "sub-01_acq-swimip_T2starw.nii",
            "sub-01_minIP.nii",
        ] {
            assert_eq!(kind(name), Some(Kind::Projection), "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        for (name, json, want) in [
            ("sub-01_swi", r#"["DERIVED", "PRIMARY", "MNIP", "NORM"]"#, Some(NoSwi::Projection)),
            (
                "sub-02_swi",
                r#"["DERIVED", "SECONDARY", "PROJECTION IMAGE"]"#,
                Some(NoSwi::Projection),
            ),
            ("sub-03_swi", r#"["ORIGINAL", "PRIMARY", "P", "ND"]"#, Some(NoSwi::Phase)),
            ("sub-04_swi", r#"["ORIGINAL", "PRIMARY", "M", "SWI", "NORM"]"#, None),
            ("sub-05_T2starw", r#"["ORIGINAL", "PRIMARY", "SWI"]"#, None),
            ("swi", r#"["DERIVED", "PRIMARY", "MINIP"]"#, Some(NoSwi::Projection)),
            // What has no name of the standard is what its sidecar says.
            ("t2star", r#"["ORIGINAL", "PRIMARY", "M", "ND"]"#, Some(NoSwi::Magnitude)),
            ("sub-06_swi", r#"["ORIGINAL", "PRIMARY", "M", "ND"]"#, None),
        ] {
            std::fs::write(
                folder.path().join(format!("{name}.json")),
                format!("{{\"ImageType\": {json}}}"),
            )
            .unwrap();
            assert_eq!(no_swi(&folder.path().join(format!("{name}.nii.gz"))), want, "{name}");
        }
    }

    #[test]
    fn an_image_that_says_it_is_no_swi_is_refused() {
        let check = |name: &str| {
            let images = [(Modality::Swi, name.into())].into();
            let files = crate::CaseFiles {
                id: "x".to_owned(),
                images,
                mask: None,
                truth: None,
                unknown: None,
                contrast: None,
            };
            files.check_swi(&[Modality::Swi])
        };
        let told = check("sub-01_rec-mIP_swi.nii").unwrap_err().to_string();
        assert!(told.contains("a projection over slices is no SWI"), "{told}");
        assert_eq!(check("sub-01_T2starw.nii").unwrap(), Contrast::T2StarMagnitude);
        assert_eq!(check("sub-01_swi.nii").unwrap(), Contrast::Swi);
        assert_eq!(check("swi.nii").unwrap(), Contrast::Swi);
    }

    #[test]
    fn parts_of_echoes_are_known_and_a_phase_difference_is_none() {
        for (name, want) in [
            ("sub-01_part-mag_T1w.nii", Some(Kind::Part(Part::Magnitude))),
            ("sub-01_part-phase_T1w.nii", Some(Kind::Part(Part::Phase))),
            ("sub-01_part-phase_swi.nii", Some(Kind::Part(Part::Phase))),
            ("sub-01_echo-1_part-real_MEGRE.nii", Some(Kind::Part(Part::Real))),
            ("sub-01_echo-1_MEGRE.nii", Some(Kind::Part(Part::Unsaid))),
            ("sub-01_GRE.nii", Some(Kind::Part(Part::Unsaid))),
            ("sub-01_phasediff.nii", None),
            ("sub-01_phase1.nii", None),
            ("sub-01_part-phase_bold.nii", None),
            ("sub-01_seg-lesions_dseg.nii", None),
            ("sub-01_desc-brain_mask.nii", Some(Kind::BrainMask)),
            ("sub-01_desc-reliable_mask.nii", None),
            ("sub-01_paramagneticmap.nii", None),
            ("sub-01_diamagneticmap.nii", None),
        ] {
            assert_eq!(kind(name), want, "{name}");
        }
    }
}
