//! What is to be done with a scan, and why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_cases::bids::Scan;
use deepmir_cases::{Contrast, Modality};
use deepmir_model::bundle::ModelSettings;
use deepmir_recon::input::EchoParts;
use deepmir_volume::Grid;
use deepmir_volume::nifti;

use super::memory::need_gb;

/// Where the images come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Maps that are there.
    Maps {
        /// On one grid.
        images: BTreeMap<Modality, PathBuf>,
        /// The brain.
        mask: Option<PathBuf>,
        /// T2w on another grid, to be aligned; whether the model needs it.
        t2w: Option<(PathBuf, bool)>,
    },
    /// Raw echoes.
    Echoes {
        /// In order.
        echoes: Vec<EchoParts>,
        /// On whatever grid.
        t2w: Option<PathBuf>,
        /// The brain.
        mask: Option<PathBuf>,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Find lesions.
    Predict {
        /// Which of the models.
        model: usize,
        /// In what.
        source: Source,
    },
    /// Nothing: what is needed is not there.
    Skip,
    /// Nothing: something is wrong.
    Fail,
}

/// The plan of one scan.
#[derive(Clone, Debug)]
pub struct ScanPlan {
    /// The scan.
    pub scan: Scan,
    /// What to do.
    pub decision: Decision,
    /// Why.
    pub reasons: Vec<String>,
    /// What was assumed of the images.
    pub warnings: Vec<String>,
    /// Memory at the peak.
    pub memory_gb: f64,
}

/// Decides by what the models need.
#[derive(Clone, Debug)]
pub struct Planner<'a> {
    /// In order of preference.
    pub models: Vec<&'a ModelSettings>,
}

impl Planner<'_> {
    /// What is to be done with a scan: the first model whose images are there, or can be made from
    /// raw echoes, is used.
    pub fn plan(&self, scan: &Scan) -> ScanPlan {
        let blank = |decision, reasons| ScanPlan {
            scan: scan.clone(),
            decision,
            reasons,
            warnings: Vec::new(),
            memory_gb: 0.0,
        };
        let mut missing_for = Vec::new();
        let without_swi = scan;
        for (number, model) in self.models.iter().enumerate() {
            let magnitude = magnitude_for(without_swi, model);
            let scan = &with_magnitude(without_swi, magnitude);
            let inputs = &model.plan.inputs;
            let missing = |there: &dyn Fn(Modality) -> bool| -> Vec<&str> {
                let needed = inputs.iter().filter(|&&m| model.plan.needs(m) && !there(m));
                needed.map(|m| m.name()).collect()
            };
            let is_there = |modality: Modality| scan.images.contains_key(&modality);
            // What can be done without is made all the same, where there are echoes to make it from.
            let makeable = |m: Modality| m != Modality::T2w && inputs.contains(&m) && !is_there(m);
            let lacks_a_map = Modality::ALL.into_iter().any(makeable);
            let better_made =
                scan.echoes.as_ref().is_ok_and(|echoes| !echoes.is_empty()) && lacks_a_map;
            let mut mapped = missing(&is_there);
            let outcome = if mapped.is_empty() && !better_made {
                self.of_maps(scan, number)
            } else {
                if mapped.is_empty() {
                    let made = Modality::ALL.into_iter().filter(|&m| makeable(m));
                    mapped = made.map(|m| m.name()).collect();
                }
                let of_echoes = |modality| match modality {
                    Modality::T2w => scan.images.contains_key(&Modality::T2w),
                    Modality::Swi | Modality::Qsm => true,
                };
                match &scan.echoes {
                    Ok(echoes) if echoes.is_empty() => {
                        missing_for.push(format!("no {} for {}", mapped.join(", "), model.name));
                        continue;
                    }
                    Ok(echoes) => {
                        let unmade = missing(&of_echoes);
                        if !unmade.is_empty() {
                            missing_for.push(format!(
                                "no {} for {}",
                                unmade.join(", "),
                                model.name
                            ));
                            continue;
                        }
                        self.of_echoes(scan, number, echoes, &mapped)
                    }
                    Err(reason) => {
                        // Magnitudes whose phase is not there may be for a model further on.
                        let mut others = self.models[number + 1..].iter();
                        if others.any(|other| magnitude_for(without_swi, other).is_some()) {
                            missing_for.push(reason.clone());
                            continue;
                        }
                        Err(reason.clone())
                    }
                }
            };
            return match outcome {
                Ok((source, mut reasons, memory_gb)) => {
                    let mut warnings = scan.warnings.clone();
                    reasons.extend(magnitude.map(|path| {
                        format!("no SWI: a T2*-weighted magnitude in its place, {}", path.display())
                    }));
                    if !is_there(Modality::Swi) {
                        reasons.extend(scan.notes.iter().cloned());
                    }
                    if let (Err(reason), true) = (&scan.echoes, lacks_a_map) {
                        warnings.push(format!("the raw echoes cannot be used: {reason}"));
                    }
                    if let Source::Maps { t2w: Some((path, _)), .. } = &source {
                        // Its aligned copy does not tell what its own header did.
                        warnings.extend(noticed(path));
                    }
                    ScanPlan {
                        decision: Decision::Predict { model: number, source },
                        warnings,
                        memory_gb,
                        ..blank(Decision::Skip, reasons)
                    }
                }
                Err(reason) => blank(Decision::Fail, vec![reason]),
            };
        }
        missing_for.extend(scan.magnitude.iter().map(|path| {
            format!(
                "a T2*-weighted magnitude is no SWI, and the models learned from SWI alone (`deepmir model list` names those \
                 that did not); if it is an SWI, rename it *_acq-swi_T2starw: {}",
                path.display()
            )
        }));
        missing_for.extend(scan.notes.iter().cloned());
        missing_for.push("add the images, or a model that does without with --model".to_owned());
        blank(Decision::Skip, missing_for)
    }

    fn of_maps(&self, scan: &Scan, number: usize) -> Planned {
        let model = self.models[number];
        check_fetched(scan.images.values().chain(&scan.mask))?;
        let reference = scan.images.first_key_value().map(|(_, path)| path.as_path());
        let grid = grid(reference.unwrap_or(Path::new("")))?;
        let mut images = scan.images.clone();
        let mut reasons = vec![format!("maps are there; model {}", model.name)];
        for modality in model.plan.optional.iter().filter(|m| !images.contains_key(m)) {
            reasons.push(format!("no {modality}: goes without"));
        }
        let mut t2w = None;
        let mut moving = None;
        if images.len() > 1
            && let Some(path) = images.get(&Modality::T2w)
        {
            let other = self::grid(path)?;
            if grid.same_as(&other) {
                reasons.push("T2w is on the SWI's grid".to_owned());
            } else {
                reasons.push("T2w is on another grid: align".to_owned());
                t2w = Some((path.clone(), model.plan.inputs.contains(&Modality::T2w)));
                images.remove(&Modality::T2w);
                moving = Some(other);
            }
        }
        if scan.echoes.as_ref().is_ok_and(|echoes| !echoes.is_empty()) {
            reasons.push("raw echoes are not needed".to_owned());
        }
        let memory_gb = need_gb(&grid, 0, moving.as_ref(), model.plan.voxel_mm);
        let mask = scan.mask.clone();
        reasons.extend(mask.is_some().then(|| "brain mask is given".to_owned()));
        Ok((Source::Maps { images, mask, t2w }, reasons, memory_gb))
    }

    fn of_echoes(
        &self,
        scan: &Scan,
        number: usize,
        echoes: &[EchoParts],
        missing: &[&str],
    ) -> Planned {
        let first = match &echoes[0] {
            EchoParts::Polar { magnitude, .. } => magnitude,
            EchoParts::Cartesian { real, .. } => real,
        };
        let t2w = scan.images.get(&Modality::T2w).cloned();
        let parts = echoes.iter().flat_map(|echo| <[&Path; 2]>::from(echo.paths()));
        check_fetched(
            parts.map(Path::to_owned).collect::<Vec<_>>().iter().chain(&t2w).chain(&scan.mask),
        )?;
        let reasons = vec![
            format!("no {}: reconstruct {} echoes", missing.join(", "), echoes.len()),
            match t2w {
                Some(_) => "T2w: align".to_owned(),
                None => "no T2w".to_owned(),
            },
            format!("model {}", self.models[number].name),
        ];
        let moving = t2w.as_deref().map(grid).transpose()?;
        let model_voxel_mm = self.models[number].plan.voxel_mm;
        let images = echoes.len() + usize::from(scan.r2_map.is_some());
        let memory_gb = need_gb(&grid(first)?, images, moving.as_ref(), model_voxel_mm);
        let source = Source::Echoes { echoes: echoes.to_vec(), t2w, mask: scan.mask.clone() };
        Ok((source, reasons, memory_gb))
    }
}

/// The magnitude that a model reads in place of an SWI which is neither there nor made from echoes.
fn magnitude_for<'a>(scan: &'a Scan, model: &ModelSettings) -> Option<&'a Path> {
    let swi = scan.images.contains_key(&Modality::Swi)
        || scan.echoes.as_ref().is_ok_and(|echoes| !echoes.is_empty());
    let known = model.contrasts.contains(&Contrast::T2StarMagnitude);
    scan.magnitude.as_deref().filter(|_| known && !swi)
}

/// A scan with a magnitude in the place of its SWI.
fn with_magnitude(scan: &Scan, magnitude: Option<&Path>) -> Scan {
    let mut scan = scan.clone();
    scan.images.extend(magnitude.map(|path| (Modality::Swi, path.to_owned())));
    scan
}

/// Source, reasons and memory, or what is wrong.
type Planned = Result<(Source, Vec<String>, f64), String>;

/// That the images are here: an optional one whose content was not fetched is not left out.
fn check_fetched<'a>(mut paths: impl Iterator<Item = &'a PathBuf>) -> Result<(), String> {
    let each = |path: &PathBuf| {
        nifti::check_fetched(path)?;
        let sidecar = path.with_file_name(format!("{}.json", nifti::stem(path)));
        nifti::check_fetched(&sidecar)
    };
    paths.try_for_each(each).map_err(|error| error.to_string())
}

/// What was noticed in the header of an image.
fn noticed(path: &Path) -> Vec<String> {
    let warnings = nifti::read_header(path).map(|header| header.warnings(path));
    warnings.unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn grid(path: &Path) -> Result<Grid, String> {
    nifti::read_header(path).map(|header| *header.grid()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_model::shipped;
    use deepmir_volume::{Affine, Volume};

    #[test]
    fn maps_come_first_then_echoes_and_what_lacks_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let image = |name: &str, size: usize| {
            let path = folder.path().join(name);
            let grid = Grid::new([size; 3], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
            nifti::write(&path, &Volume::filled(grid, 1.0_f32), None).unwrap();
            path
        };
        let (swi, qsm) = (image("swi.nii", 8), image("qsm.nii", 8));
        let (t2w, far) = (image("t2w.nii", 8), image("far.nii", 9));
        let mut model = shipped::MODELS[0].open().unwrap().settings;
        model.plan.optional.clear();
        model.contrasts = vec![Contrast::Swi];
        let mut frugal = model.clone();
        frugal.name = "frugal".to_owned();
        frugal.plan.inputs = vec![Modality::Swi, Modality::Qsm];
        let (both, one) = ([&model, &frugal], [&model]);
        let scan = |t2w: Option<&PathBuf>, maps: bool, echoes: usize| Scan {
            id: "sub-01".to_owned(),
            subject: "01".to_owned(),
            session: None,
            twice: BTreeMap::new(),
            magnitude: None,
            notes: vec!["a projection is no SWI".to_owned()],
            warnings: Vec::new(),
            images: [(Modality::Swi, &swi), (Modality::Qsm, &qsm)]
                .into_iter()
                .filter(|_| maps)
                .chain(t2w.map(|path| (Modality::T2w, path)))
                .map(|(modality, path)| (modality, path.clone()))
                .collect(),
            mask: None,
            r2_map: None,
            echoes: Ok(vec![
                EchoParts::Polar { magnitude: swi.clone(), phase: swi.clone() };
                echoes
            ]),
        };
        let plan = |scan: &Scan, models: &[&ModelSettings]| {
            let planned = Planner { models: models.to_vec() }.plan(scan);
            (planned.decision, planned.reasons.join("; "))
        };
        let (decision, why) = plan(&scan(Some(&t2w), true, 3), &one);
        assert!(
            matches!(&decision, Decision::Predict { source: Source::Maps { t2w: None, .. }, .. }),
            "{why}"
        );
        assert!(why.contains("raw echoes are not needed"), "{why}");
        let (decision, why) = plan(&scan(Some(&far), true, 0), &one);
        let Decision::Predict { source: Source::Maps { t2w: Some((_, needed)), .. }, .. } =
            decision
        else {
            unreachable!("{why}")
        };
        assert!(needed && why.contains("align"), "{why}");
        let (decision, _) = plan(&scan(Some(&far), false, 3), &one);
        assert!(matches!(
            decision,
            Decision::Predict { source: Source::Echoes { t2w: Some(_), .. }, .. }
        ));
        let (decision, why) = plan(&scan(None, true, 0), &one);
        assert_eq!(decision, Decision::Skip);
        let missing_for = format!("no T2w for {}", model.name);
        assert!(why.contains(&missing_for) && why.contains("--model"), "{why}");
        let mut content = model.clone();
        content.plan.optional = vec![Modality::Qsm, Modality::T2w];
        let (decision, why) = plan(&scan(None, true, 0), &[&content]);
        assert!(matches!(decision, Decision::Predict { source: Source::Maps { .. }, .. }));
        assert!(why.contains("no T2w: goes without"), "{why}");
        // A map that can be made is made.
        let mut only_swi = scan(None, true, 3);
        only_swi.images.remove(&Modality::Qsm);
        let (decision, why) = plan(&only_swi, &[&content]);
        assert!(
            matches!(decision, Decision::Predict { source: Source::Echoes { .. }, .. }),
            "{why}"
        );
        only_swi.echoes = Ok(Vec::new());
        let (decision, why) = plan(&only_swi, &[&content]);
        assert!(matches!(decision, Decision::Predict { source: Source::Maps { .. }, .. }), "{why}");
        assert!(!why.contains("projection"), "{why}");
        // What was passed over is told where it is missed; what was assumed, and echoes that cannot be used.
        let mut odd = only_swi.clone();
        odd.images.remove(&Modality::Swi);
        let (decision, why) = plan(&odd, &[&content]);
        assert!(decision == Decision::Skip && why.contains("a projection is no SWI"), "{why}");
        // A magnitude takes the place of an SWI for models that learned from such.
        let mut magnitude = odd.clone();
        magnitude.magnitude = Some(swi.clone());
        let (decision, why) = plan(&magnitude, &[&content]);
        assert!(decision == Decision::Skip && why.contains("learned from SWI alone"), "{why}");
        let mut either = content.clone();
        either.contrasts = vec![Contrast::Swi, Contrast::T2StarMagnitude];
        let (decision, why) = plan(&magnitude, &[&content, &either]);
        assert!(matches!(decision, Decision::Predict { model: 1, .. }), "{why}");
        assert!(why.contains("a T2*-weighted magnitude in its place"), "{why}");
        magnitude.echoes = Err("an echo with one part only".to_owned());
        let (decision, why) = plan(&magnitude, &[&content, &either]);
        assert!(matches!(decision, Decision::Predict { model: 1, .. }), "{why}");
        assert_eq!(plan(&magnitude, &[&content]).0, Decision::Fail);
        only_swi.echoes = Err("an echo with one part only".to_owned());
        only_swi.warnings = vec!["assumed".to_owned()];
        let planned = Planner { models: vec![&content] }.plan(&only_swi);
        assert_eq!(planned.warnings.len(), 2, "{:?}", planned.warnings);
        let (decision, _) = plan(&scan(None, true, 0), &both);
        assert!(matches!(decision, Decision::Predict { model: 1, .. }));
    }
}
