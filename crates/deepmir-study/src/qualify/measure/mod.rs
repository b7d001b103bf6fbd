//! A whole implanted dataset, scan by scan; each is stored and not done again.

mod detect;
mod scans;
mod store;
mod truth;

use std::path::{Path, PathBuf};

use deepmir_cases::Modality;
use deepmir_cases::bids::Scan;
use deepmir_lesion::matching::MatchRule;
use deepmir_lesion::metrics::Bootstrap;
use deepmir_model::bundle::ModelSettings;
use deepmir_pipeline::lock::{Lock, Taken};
use deepmir_pipeline::predict::Predictor;
use deepmir_pipeline::recon::ReconSettings;

use super::rows::{CallRow, ImplantRow};
use crate::StudyError;
use crate::plan::factors::joined;
use detect::{Images, ScanRows};
use scans::{
    Found, Implanted, Making, Told, checksums, files_of, images_of, implanted_of, key_of, scans_of,
};
use store::{Record, Stored};
use truth::{ScanTruth, table_of};

/// How a dataset is measured.
#[derive(Clone, Debug)]
pub struct QualifyOptions {
    /// Subjects (`01` or `sub-01`) that are taken; all, if there are none.
    pub participants: Vec<String>,
    /// Sets of inputs; without any, SWI, SWI+QSM and SWI+QSM+T2w, as far as the model takes them.
    pub inputs: Vec<Vec<Modality>>,
    /// When a call is an implant.
    pub rule: MatchRule,
    /// How raw echoes are reconstructed.
    pub recon: ReconSettings,
    /// Intervals.
    pub bootstrap: Bootstrap,
}

/// Progress.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The scans are known.
    Begun {
        /// How many.
        total: usize,
    },
    /// A scan is done.
    Scan {
        /// Its name.
        scan: &'a str,
        /// Scans done so far.
        done: usize,
        /// Whether it was done before.
        kept: bool,
    },
    /// A step of a scan begins.
    Step {
        /// The scan.
        scan: &'a str,
        /// What is done.
        step: &'a str,
    },
    /// Something to know about a scan.
    Noticed {
        /// The scan.
        scan: &'a str,
        /// A sentence.
        warning: &'a str,
    },
    /// A scan that cannot be used.
    Failed {
        /// The scan.
        scan: &'a str,
        /// Why.
        reason: &'a str,
    },
}

/// What came of all scans.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Every implant with every set of inputs.
    pub implants: Vec<ImplantRow>,
    /// Calls and near calls that are no implant's.
    pub calls: Vec<CallRow>,
    /// Calls in scans to which nothing was added; none where such scans are not given.
    pub untouched: Option<Vec<CallRow>>,
    /// Scans that could not be used, and why.
    pub failed: Vec<(String, String)>,
    /// What was noticed, scan by scan.
    pub warnings: Vec<(String, String)>,
}

/// Predicts the scans of an implanted dataset with each set of inputs, and those of `untouched` with all of them, the
/// scans that the implants were put into. Results are kept in `out`.
///
/// # Errors
/// A dataset without implants; inputs that the model cannot do with; every scan failing; a folder that cannot be
/// written to.
pub fn measure(
    implanted: &Path,
    untouched: Option<&Path>,
    out: &Path,
    predictor: &mut Predictor,
    options: &QualifyOptions,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<Rows, StudyError> {
    let sets = input_sets(&predictor.bundle().settings, &options.inputs)?;
    let (scans, failed) = implanted_of(implanted, &options.participants)?;
    let (bare, more_failed): Found<Scan> = match untouched {
        Some(dataset) => scans_of(dataset, &options.participants)?,
        None => Default::default(),
    };
    std::fs::create_dir_all(out)
        .map_err(|source| StudyError::Write { path: out.to_owned(), source })?;
    let _lock = held(out)?;
    sweep(out);
    let mut rows = Rows { untouched: untouched.map(|_| Vec::new()), ..Rows::default() };
    for (scan, reason) in failed.into_iter().chain(more_failed) {
        report(Event::Failed { scan: &scan, reason: &reason });
        rows.failed.push((scan, reason));
    }
    let mut work = Work { out, predictor, options, sets: &sets };
    report(Event::Begun { total: scans.len() + bare.len() });
    let implants = scans.iter().map(|one| (&one.scan, Some(one)));
    for (done, (scan, one)) in implants.chain(bare.iter().map(|scan| (scan, None))).enumerate() {
        let told = &mut |told: Told<'_>| match told {
            Told::Step(step) => report(Event::Step { scan: &scan.id, step }),
            Told::Noticed(_) => {}
        };
        let outcome = work.kept(scan, one).and_then(|kept| {
            Ok(match kept {
                Some(kept) => (true, kept),
                None => (false, work.scan(scan, one, told)?),
            })
        });
        match outcome {
            Ok((kept, (found, record))) => {
                report(Event::Scan { scan: &scan.id, done: done + 1, kept });
                for warning in record.warnings {
                    report(Event::Noticed { scan: &scan.id, warning: &warning });
                    rows.warnings.push((scan.id.clone(), warning));
                }
                rows.implants.extend(found.implants);
                match (one, &mut rows.untouched) {
                    (None, Some(untouched)) => untouched.extend(found.calls),
                    _ => rows.calls.extend(found.calls),
                }
            }
            // A full disk is nothing that another scan would not meet.
            Err(error @ StudyError::Write { .. }) => return Err(error),
            Err(error) => {
                let reason = error.to_string();
                report(Event::Failed { scan: &scan.id, reason: &reason });
                rows.failed.push((scan.id.clone(), reason));
            }
        }
    }
    if rows.implants.is_empty() {
        let reason = match rows.failed.first() {
            Some((scan, reason)) => format!("no scan could be used; {scan}: {reason}"),
            None => format!("nothing was implanted in any scan: {}", implanted.display()),
        };
        return Err(StudyError::Subjects { reason });
    }
    Ok(rows)
}

/// Maps of a scan that is being worked on lie in a folder of such a name.
const SCRATCH: &str = ".maps-";

/// Keeps another process from the same folder of results.
fn held(out: &Path) -> Result<Lock, StudyError> {
    let path = out.join("lock");
    let taken = Lock::take_or_watch(&path);
    match taken.map_err(|source| StudyError::Write { path: path.clone(), source })? {
        Taken::Ours(lock) => Ok(lock),
        Taken::Theirs(watch) => {
            let who = watch.holder.map_or_else(|| "another process".to_owned(), |h| h.to_string());
            let reason = format!(
                "{who} is working here; wait for it, or choose another folder with -o: {}",
                out.display()
            );
            Err(StudyError::Subjects { reason })
        }
    }
}

/// Maps that a killed process left behind.
fn sweep(out: &Path) {
    for entry in std::fs::read_dir(out).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(SCRATCH) {
            // What cannot be removed does no harm.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The sets of inputs that a model can do with.
fn input_sets(
    model: &ModelSettings,
    asked: &[Vec<Modality>],
) -> Result<Vec<Vec<Modality>>, StudyError> {
    let can = |set: &[Modality]| {
        set.iter().all(|modality| model.plan.inputs.contains(modality))
            && model.plan.inputs.iter().all(|m| !model.plan.needs(*m) || set.contains(m))
    };
    if asked.is_empty() {
        let sets = (1..=Modality::ALL.len()).map(|count| Modality::ALL[..count].to_vec());
        let sets: Vec<Vec<Modality>> = sets.filter(|set| can(set)).collect();
        return Ok(if sets.is_empty() { vec![model.plan.inputs.clone()] } else { sets });
    }
    let mut sets: Vec<Vec<Modality>> = Vec::new();
    for set in asked {
        let mut set = set.clone();
        set.sort_unstable();
        set.dedup();
        if !can(&set) {
            let needed: Vec<Modality> =
                model.plan.inputs.iter().copied().filter(|m| model.plan.needs(*m)).collect();
            let reason = format!(
                "{} cannot be given {}: it takes {} and needs {}; choose others with --inputs",
                model.name,
                joined(&set),
                joined(&model.plan.inputs),
                joined(&needed)
            );
            return Err(StudyError::Subjects { reason });
        }
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    sets.sort_by_key(Vec::len);
    Ok(sets)
}

/// Checksum of the sources that decide what is stored, beside those of [`deepmir_pipeline::CODE`] (from `build.rs`).
const CODE: &str = env!("DEEPMIR_QUALIFY_CODE");

struct Work<'a> {
    out: &'a Path,
    predictor: &'a mut Predictor,
    options: &'a QualifyOptions,
    sets: &'a [Vec<Modality>],
}

impl Work<'_> {
    fn stored(&self, scan: &Scan, implanted: Option<&Implanted>) -> Stored {
        let part = if implanted.is_some() { "implanted" } else { "untouched" };
        Stored::of(self.out, part, &scan.id)
    }

    /// What a scan's results depend on, all but its files.
    fn settings(
        &self,
        implanted: Option<&Implanted>,
    ) -> (String, Vec<String>, String, ReconSettings) {
        let sets = self.sets.iter().map(|set| joined(set)).collect();
        let detector = &self.predictor.detector;
        let part = format!(
            "{CODE} {} {} {} {}",
            implanted.is_some(),
            self.options.rule,
            detector.options.flips,
            detector.read.nan_to_zero
        );
        (self.predictor.bundle().id(), sets, part, self.options.recon)
    }

    /// The results of an earlier run, if they are of the same files, model and settings.
    fn kept(
        &self,
        scan: &Scan,
        implanted: Option<&Implanted>,
    ) -> Result<Option<(ScanRows, Record)>, StudyError> {
        let stored = self.stored(scan, implanted);
        let Some(record) = stored.record() else { return Ok(None) };
        let files = checksums(&files(scan, implanted), &record.inputs, false)?;
        if record.key != key_of("qualify", &self.settings(implanted), &files) {
            return Ok(None);
        }
        Ok(stored.read().ok().map(|rows| (rows, record)))
    }

    fn scan(
        &mut self,
        scan: &Scan,
        implanted: Option<&Implanted>,
        told: &mut dyn FnMut(Told<'_>),
    ) -> Result<(ScanRows, Record), StudyError> {
        let inputs = checksums(&files(scan, implanted), &[], false)?;
        let key = key_of("qualify", &self.settings(implanted), &inputs);
        let truth = implanted.map(|implanted| ScanTruth::read(&implanted.truth)).transpose()?;
        let scratch = tempfile::Builder::new()
            .prefix(SCRATCH)
            .tempdir_in(self.out)
            .map_err(|source| StudyError::Write { path: self.out.to_owned(), source })?;
        let read = self.predictor.detector.read;
        let making = Making { recon: &self.options.recon, read };
        let mut warnings = Vec::new();
        let model = self.predictor.bundle().settings.clone();
        let files = images_of(scan, &model, making, scratch.path(), &mut |now| {
            if let Told::Noticed(warning) = now {
                warnings.push(warning.to_owned());
            }
            told(now);
        })?;
        let case = self.predictor.detector.read_images(&files).map_err(StudyError::from)?;
        warnings.extend(case.warnings.iter().map(ToString::to_string));
        drop(scratch);
        let images = Images::new(case);
        let (there, lacking): (Vec<_>, Vec<_>) = self.sets.iter().partition(|set| images.has(set));
        let lacks: Vec<String> = lacking.iter().map(|set| joined(set)).collect();
        if there.is_empty() {
            let reason = format!("the scan has not all of {}", lacks.join(", or of "));
            return Err(StudyError::Subjects { reason });
        }
        if !lacks.is_empty() {
            warnings.push(format!("not all images for {}", lacks.join(", ")));
        }
        let mut rows = ScanRows::default();
        let rule = self.options.rule;
        match &truth {
            Some(truth) => {
                for set in there {
                    told(Told::Step(&joined(set)));
                    let found = images.against(truth, self.predictor, set, rule, &mut |_, _| {})?;
                    rows.implants.extend(found.implants);
                    rows.calls.extend(found.calls);
                }
            }
            None => {
                if let Some(set) = there.last() {
                    told(Told::Step(&joined(set)));
                    rows.calls = images.untouched(self.predictor, set, &mut |_, _| {})?;
                }
            }
        }
        let record = Record { key, inputs, warnings, lacks };
        self.stored(scan, implanted).write(&rows, &record)?;
        Ok((rows, record))
    }
}

/// Every file that the results of a scan depend on.
fn files(scan: &Scan, implanted: Option<&Implanted>) -> Vec<PathBuf> {
    let mut files = files_of(scan);
    if let Some(Implanted { truth, .. }) = implanted {
        files.extend(truth.truth.clone());
        files.extend(table_of(truth));
        files.extend(deepmir_cases::beside_truth(truth, "desc-unknown_mask.nii.gz"));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use Modality::{Qsm, Swi, T2w};
    use deepmir_model::shipped;

    #[test]
    fn inputs_are_those_that_the_model_takes() {
        let mut model = shipped::MODELS[0].open().unwrap().settings;
        assert_eq!(
            input_sets(&model, &[]).unwrap(),
            [vec![Swi], vec![Swi, Qsm], vec![Swi, Qsm, T2w]]
        );
        let asked = [vec![T2w, Swi], vec![Swi], vec![Swi, T2w]];
        assert_eq!(input_sets(&model, &asked).unwrap(), [vec![Swi], vec![Swi, T2w]]);
        let told = input_sets(&model, &[vec![Qsm]]).unwrap_err().to_string();
        assert!(told.contains("needs SWI") && told.contains("--inputs"), "{told}");
        model.plan.optional.clear();
        assert_eq!(input_sets(&model, &[]).unwrap(), [vec![Swi, Qsm, T2w]]);
        model.plan.inputs = vec![Qsm];
        assert_eq!(input_sets(&model, &[]).unwrap(), [vec![Qsm]]);
    }
}
