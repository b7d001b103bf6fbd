//! Two visits of one person read together: which lesions are new, gone, grown, shrunk or as they were.
//!
//! The scans are registered to the space halfway between them. The candidates of both are joined, and each place is
//! measured in both scans, also where one of them has no candidate: what is just below the threshold at one visit is no
//! change. A small model ([`ChangeModel`]) gives the probabilities.

mod aria;
mod change;
mod comparability;
mod day;
mod halfway;
mod large;
mod lesions;
mod measure;
mod page;
mod sites;
mod write;

use std::collections::BTreeMap;

use deepmir_cases::{CaseFiles, Modality, sha256};
use deepmir_lesion::{BasalGanglia, Change, CountInterval, LesionClass};
use deepmir_model::Detected;
use deepmir_recon::register::{BothWays, RegistrationConfig, register_both_ways};

use crate::PipelineError;
use crate::predict::{Prediction, Predictor};
use crate::run::memory;
pub use aria::AriaSheet;
pub use change::{ChangeModel, Probabilities};
pub use comparability::{Comparability, Verdict};
pub use day::Day;
pub use halfway::Halfway;
pub use large::LargeOverVisits;
pub use lesions::LesionOverVisits;
pub use measure::PlaceSums;
pub use sites::{Evidence, Sight, Site};
pub use write::{COLUMNS, Written};

/// Brains that agree less than this after registration are not those of one person, or one of the outlines is none.
const LEAST_BRAIN_AGREEMENT: f64 = 0.85;
/// Nor are those that agree less than this where the two directions of the registration lie farther apart than that: two
/// visits of 27 simulated people have 0.978 and 0.3 mm or better, two people 0.93 and 1.5 mm or worse.
const LEAST_IF_ASKEW: f64 = 0.95;
const ASKEW_MM: f64 = 1.0;

/// What the program is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Slices of a visit (0 or 1) that the networks have processed.
    Slices {
        /// The visit.
        visit: usize,
        /// Slices done.
        done: usize,
        /// All slices.
        total: usize,
    },
    /// The visits are registered to each other.
    Registering,
    /// Every place is measured in both.
    Reading,
}

/// One visit as it was read alone.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Its images.
    pub files: CaseFiles,
    /// Their checksums.
    checksums: BTreeMap<Modality, String>,
    /// What was found in it alone.
    pub prediction: Prediction,
    /// What that was selected from.
    detected: Detected,
}

/// A place that was followed, with what became of it.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The place in both visits.
    pub site: Site,
    /// Sums over the place in both visits.
    pub sums: [PlaceSums; 2],
    /// How probable each state is.
    pub probabilities: Probabilities,
    /// What became of it; `None` for what is no lesion in either visit.
    pub change: Option<Change>,
}

/// Two visits read together.
pub struct Comparison {
    /// Baseline and follow-up.
    pub visits: [Visit; 2],
    /// How the visits lie to each other: from the baseline's millimetres to the follow-up's.
    pub registration: BothWays,
    /// Both in the space halfway between them.
    pub halfway: Halfway,
    /// Whether the scans show lesions alike.
    pub comparability: Comparability,
    /// Every place; those without a change are no lesions.
    pub followed: Vec<Followed>,
    /// The lesions, numbered and measured at both visits.
    pub lesions: Vec<LesionOverVisits>,
    /// Standard deviation of the log ratios of an unchanged lesion's total susceptibility and SWI deficit between two
    /// such scans.
    pub scan_rescan_error: [f64; 2],
    /// When the scans were made, as far as that is known.
    pub days: [Option<Day>; 2],
}

impl Predictor {
    /// Reads a baseline and a follow-up scan together.
    ///
    /// Images that only one of them has are left out of both. `days` are when they were made, as far as that is known.
    /// `progress` tells what is being done.
    ///
    /// # Errors
    /// As [`Predictor::predict`] of either scan; the same image twice; a registration that failed, or brains that do
    /// not match: scans of two people.
    pub fn compare(
        &mut self,
        files: [CaseFiles; 2],
        days: [Option<Day>; 2],
        progress: &mut dyn FnMut(Event),
    ) -> Result<Comparison, PipelineError> {
        self.compare_after(None, files, days, progress)
    }

    /// As [`Predictor::compare`]. A baseline that this predictor has just read with the same images, as the follow-up of the
    /// comparison before, is not read again.
    ///
    /// # Errors
    /// As [`Predictor::compare`].
    pub fn compare_after(
        &mut self,
        before: Option<Visit>,
        mut files: [CaseFiles; 2],
        days: [Option<Day>; 2],
        progress: &mut dyn FnMut(Event),
    ) -> Result<Comparison, PipelineError> {
        let fault = |reason: String| PipelineError::Visits { reason };
        refuse_swapped(&files, days)?;
        let left_out = keep_common_images(&mut files)?;
        let checksums = [checksums(&files[0])?, checksums(&files[1])?];
        refuse_one_image_twice(&files, &checksums)?;
        let need_gb = memory::of_both(&files, self.bundle().settings.plan.voxel_mm)?;
        memory::check(&files[1].id, need_gb, self.memory_gb)?;
        let is_baseline = |before: &Visit| {
            before.checksums == checksums[0]
                && (&before.files.images, &before.files.mask) == (&files[0].images, &files[0].mask)
        };
        let before = before.filter(is_baseline);
        let known = usize::from(before.is_some());
        let mut visits: Vec<Visit> = before.into_iter().collect();
        for (visit, (files, checksums)) in files.into_iter().zip(checksums).enumerate().skip(known)
        {
            let (prediction, detected) = self.predict_and_keep(&files, &mut |done, total| {
                progress(Event::Slices { visit, done, total });
            })?;
            visits.push(Visit { files, checksums, prediction, detected });
        }
        let visits: [Visit; 2] =
            visits.try_into().map_err(|_| fault("there are two visits".to_owned()))?;

        progress(Event::Registering);
        let cases = [0, 1].map(|visit| &visits[visit].prediction.case);
        let first = |visit: usize| cases[visit].images.values().next();
        let (Some(one), Some(other)) = (first(0), first(1)) else {
            return Err(fault("the visits have no image in common".to_owned()));
        };
        let registration = register_both_ways(
            [one, other],
            [&cases[0].brain, &cases[1].brain],
            &RegistrationConfig::default(),
        )
        .map_err(|error| {
            fault(format!("the visits cannot be aligned ({error}): are they one person's?"))
        })?;
        let halfway = Halfway::new(cases, &registration)?;
        let agreement = halfway.brain_agreement();
        let askew = registration.disagreement_mm > ASKEW_MM;
        if agreement < LEAST_BRAIN_AGREEMENT || askew && agreement < LEAST_IF_ASKEW {
            return Err(fault(format!(
                "the brains of {} and {} do not match (Dice coefficient {agreement:.2}, directions of the registration \
                 {:.1} mm apart): are they one person's? If they are, look at the brain masks",
                visits[0].files.id, visits[1].files.id, registration.disagreement_mm
            )));
        }
        let qualities = [0, 1].map(|visit| &visits[visit].prediction.quality);
        let comparability = Comparability::of(qualities, &left_out, &registration, agreement);

        progress(Event::Reading);
        let detected = [0, 1].map(|visit| &visits[visit].detected);
        let nuclei = [0, 1].map(|visit| {
            let regions = visits[visit].prediction.regions.as_ref();
            regions.map(|regions| regions as &dyn BasalGanglia)
        });
        let sites = sites::joint_reading(&self.detector, detected, nuclei, &halfway.to_visits)?;
        let sums = measure::place_sums(&halfway, &sites, detected);
        let model = ChangeModel::shipped();
        let followed = sites.into_iter().zip(sums).map(|(site, sums)| {
            let evidence = [0, 1].map(|visit| site.seen[visit].evidence);
            let probabilities = model.probabilities(&evidence, &sums);
            let change = model.decide(&probabilities);
            Followed { site, sums, probabilities, change }
        });
        let followed: Vec<Followed> = followed.collect();
        let lesions = lesions::lesions(&visits, &followed);
        let scan_rescan_error = model.scan_rescan_error(comparability.same_protocol);
        Ok(Comparison {
            visits,
            registration,
            halfway,
            comparability,
            followed,
            lesions,
            scan_rescan_error,
            days,
        })
    }
}

impl Followed {
    /// The probability of a change.
    pub fn probability_of(&self, change: Change) -> f64 {
        let of = &self.probabilities;
        match change {
            Change::New => of.new,
            Change::Gone => of.gone,
            Change::Grown => of.both * of.grown,
            Change::Shrunk => of.both * of.shrunk,
            Change::Stable => of.both * (1.0 - of.grown - of.shrunk),
        }
    }
}

impl Comparison {
    /// The number of a lesion in the table of a visit alone, if it was found there.
    pub fn own_number(&self, lesion: &LesionOverVisits, visit: usize) -> Option<usize> {
        let found = &self.visits[visit].prediction.found;
        let voxels = &lesion.voxels[visit];
        let shares = |candidate: &deepmir_lesion::Candidate| {
            candidate.lesion.voxels.iter().any(|voxel| voxels.binary_search(voxel).is_ok())
        };
        found.iter().position(shares).map(|place| place + 1)
    }

    /// How far apart a lesion's centres lie in the halfway space, in millimetres.
    pub fn apart_mm(&self, lesion: &LesionOverVisits) -> f64 {
        let seen = &self.followed[lesion.followed].site.seen;
        let [one, other] = [0, 1].map(|visit| {
            let centre = seen[visit].candidate.lesion.centre_mm;
            self.halfway.to_visits[visit].inverse().apply(centre)
        });
        (0..3).map(|axis| (one[axis] - other[axis]).powi(2)).sum::<f64>().sqrt()
    }

    /// Years from the baseline to the follow-up, if both days are known and differ.
    pub fn years(&self) -> Option<f64> {
        let [before, after] = self.days;
        Some(before?.years_to(after?)).filter(|years| *years > 0.0)
    }

    /// Lesions of a class with a change.
    pub fn count(&self, class: LesionClass, change: Change) -> usize {
        let is =
            |followed: &&Followed| followed.site.class == class && followed.change == Some(change);
        self.followed.iter().filter(is).count()
    }

    /// How many new lesions of a class there are, by the probabilities of all places.
    pub fn new_count(&self, class: LesionClass) -> CountInterval {
        let of_class = self.followed.iter().filter(|followed| followed.site.class == class);
        let new: Vec<f64> = of_class.map(|followed| followed.probabilities.new).collect();
        let distance = |visit: usize| {
            self.visits[visit].prediction.quality.training_range.distance.unwrap_or_default()
        };
        CountInterval::of(&new, distance(0).max(distance(1)))
    }
}

fn checksums(files: &CaseFiles) -> Result<BTreeMap<Modality, String>, PipelineError> {
    let each = files.images.iter().map(|(&modality, path)| Ok((modality, sha256(path)?)));
    each.collect()
}

/// That the visits' reference images differ.
fn refuse_one_image_twice(
    files: &[CaseFiles; 2],
    checksums: &[BTreeMap<Modality, String>; 2],
) -> Result<(), PipelineError> {
    let [one, other] = checksums.each_ref().map(|sums| sums.values().next());
    let [Some(path), Some(twice)] = files.each_ref().map(|files| files.images.values().next())
    else {
        return Ok(());
    };
    if one == other {
        let reason = format!(
            "baseline and follow-up are the same image: {} and {}",
            path.display(),
            twice.display()
        );
        return Err(PipelineError::Visits { reason });
    }
    Ok(())
}

fn refuse_swapped(files: &[CaseFiles; 2], days: [Option<Day>; 2]) -> Result<(), PipelineError> {
    let [Some(before), Some(after)] = days else { return Ok(()) };
    if after < before {
        let reason = format!(
            "the follow-up ({}, {after}) was made before the baseline ({}, {before}): exchange them",
            files[1].id, files[0].id
        );
        return Err(PipelineError::Visits { reason });
    }
    Ok(())
}

/// Leaves scans the images that both have; what only one had, and which.
fn keep_common_images(files: &mut [CaseFiles; 2]) -> Result<Vec<(Modality, usize)>, PipelineError> {
    let mut left_out = Vec::new();
    let has = [0, 1].map(|visit: usize| files[visit].images.keys().copied().collect::<Vec<_>>());
    for visit in [0, 1] {
        let alone = has[visit].iter().filter(|modality| !has[1 - visit].contains(modality));
        for &modality in alone {
            files[visit].images.remove(&modality);
            left_out.push((modality, visit));
        }
    }
    if files[0].images.is_empty() {
        let reason = "the visits have no image in common: give the SWI of both".to_owned();
        return Err(PipelineError::Visits { reason });
    }
    Ok(left_out)
}
