//! Lesions followed from one session to the next.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use deepmir_cases::CaseFiles;
use deepmir_cases::bids::{OrderFrom, ScanTimes, session_order, write_text};
use deepmir_lesion::LesionRow;

use super::memory::Share;
use super::options::Event;
use super::status::{StageRecord, State, SubjectStatus};
use super::worker::{Interrupted, Worker, internal_error};
use super::{fingerprint, memory};
use crate::PipelineError;
use crate::owner::images_of;
use crate::predict::Predictor;
use crate::visits::{Comparison, Day, LesionOverVisits, Visit};

/// The columns of a subject's table of changes.
pub const COLUMNS: [&str; 20] = [
    "from_scan",
    "to_scan",
    "change",
    "change_probability",
    "class_before",
    "class_after",
    "lesion_before",
    "lesion_after",
    "volume_before_mm3",
    "volume_after_mm3",
    "chi_total_before_ppm_mm3",
    "chi_total_after_ppm_mm3",
    "x_mm",
    "y_mm",
    "z_mm",
    "apart_mm",
    "mars_region",
    "side",
    "comparability",
    "order_from",
];

/// How a warning begins that a pair of sessions could not be compared.
const NOT_FOLLOWED: &str = "lesions were not followed";

/// One session, as far as it takes part.
#[derive(Clone, Debug)]
struct Session {
    scan: String,
    /// What tells its images: the sidecar of its label map.
    sidecar: PathBuf,
    /// The model that found its lesions, among those of the run.
    model: usize,
    /// When it was made.
    times: ScanTimes,
}

impl Session {
    /// `2` of `sub-01_ses-2`.
    fn label(&self) -> &str {
        self.scan.split('_').find_map(|part| part.strip_prefix("ses-")).unwrap_or_default()
    }

    /// Its images. They are read for their checksums.
    fn files(&self) -> Result<CaseFiles, PipelineError> {
        Ok(CaseFiles { id: self.scan.clone(), ..images_of(&self.sidecar)? })
    }
}

/// The days of two sessions, by the first source that tells both.
fn days(pair: [&Session; 2]) -> [Option<Day>; 2] {
    let sources: [fn(&ScanTimes) -> Option<&String>; 3] = [
        |times| times.sessions_tsv.as_ref(),
        |times| times.scans_tsv.as_ref(),
        |times| times.sidecar.as_ref(),
    ];
    let of = |source: fn(&ScanTimes) -> Option<&String>| {
        pair.map(|session| source(&session.times).and_then(|text| Day::parse(text).ok()))
    };
    let all = sources.into_iter().map(of);
    all.into_iter().find(|days| days.iter().all(Option::is_some)).unwrap_or_default()
}

impl<'a> Worker<'a> {
    /// Lesions over sessions, where there are two or more: each session is read together with the one before. A pair
    /// that cannot be compared is a warning; its sessions stand alone. `None` if the user stopped the run.
    pub(super) fn timeline(
        &mut self,
        status: &mut SubjectStatus,
        before: Option<&SubjectStatus>,
    ) -> Option<()> {
        let found: Vec<(Session, String)> = self.sessions(status);
        if found.len() < 2 {
            return Some(());
        }
        let labels = found.iter().map(|(session, _)| (session.label(), session.times.clone()));
        let order = session_order(&labels.collect::<Vec<_>>(), &self.options.session_order);
        status.warnings.extend(order.warning);
        let sessions: Vec<&(Session, String)> = order.order.iter().map(|&n| &found[n]).collect();
        let keys: Vec<&String> = sessions.iter().map(|(_, key)| key).collect();
        let key = fingerprint::key("timeline", &(keys, order.from), &[]);
        let known = before.and_then(|before| before.timeline.as_ref());
        if let Some(stage) = known
            && stage.holds(&key, &self.options.out)
        {
            status.timeline = Some(stage.clone());
            let told = before.into_iter().flat_map(|before| &before.warnings);
            status.warnings.extend(told.filter(|told| told.starts_with(NOT_FOLLOWED)).cloned());
            return Some(());
        }
        let started = Instant::now();
        let path = self
            .options
            .out
            .join(&status.subject)
            .join(format!("{}_desc-lesions_timeline.tsv", status.subject));
        let (mut rows, mut written) = (String::new(), vec![path.clone()]);
        // The follow-up of the pair before is the baseline of the next one.
        let mut last = None;
        for pair in sessions.windows(2) {
            let pair = [&pair[0].0, &pair[1].0];
            (self.report)(Event::Step {
                scan: &pair[1].scan,
                what: "comparing with the visit before",
            });
            let known = last.take();
            let compared = catch_unwind(AssertUnwindSafe(|| self.compare(pair, order.from, known)));
            let fault = match compared {
                Ok(Ok(compared)) => {
                    rows += &compared.rows;
                    written.extend(compared.files);
                    last = Some(compared.followup);
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(payload) if payload.is::<Interrupted>() => return None,
                Err(payload) => {
                    // The model may be in an inconsistent state.
                    self.predictors.clear();
                    internal_error(&*payload)
                }
            };
            let [from, to] = pair.map(|session| &session.scan);
            status.warnings.push(format!("{NOT_FOLLOWED} from {from} to {to}: {fault}"));
        }
        let outcome = match written.len() {
            1 => Err(None),
            _ => write(&path, &rows)
                .and_then(|()| StageRecord::sizes(&self.options.out, &written))
                .map_err(Some),
        };
        match outcome {
            Ok(outputs) => {
                status.timeline = Some(StageRecord {
                    key,
                    inputs: Vec::new(),
                    outputs,
                    seconds: started.elapsed().as_secs_f64(),
                });
            }
            Err(error) => {
                // The table of an earlier run is about other images.
                let _ = std::fs::remove_file(&path);
                let error = error.map(|error| format!("{NOT_FOLLOWED} over sessions: {error}"));
                status.warnings.extend(error);
            }
        }
        Some(())
    }

    fn compare(
        &mut self,
        pair: [&Session; 2],
        order: OrderFrom,
        last: Option<Kept<'a>>,
    ) -> Result<Compared<'a>, PipelineError> {
        self.check_interrupt();
        let files = [pair[0].files()?, pair[1].files()?];
        let voxel_mm = self.options.models[pair[1].model].settings.plan.voxel_mm;
        let need_gb = memory::of_both(&files, voxel_mm)?;
        let model = pair[1].model;
        // With its share, so that it waits for no more memory while it holds some.
        let last = last.filter(|last| last.model == model && last.share.covers(need_gb));
        let (last, share) = last.map(|last| (last.visit, last.share)).unzip();
        let Some(share) = share.or_else(|| self.budget.take(need_gb)) else {
            let reason = format!(
                "comparing two scans needs about {need_gb:.1} GB of memory and {:.1} may be used: raise --mem-gb",
                self.budget.total_gb()
            );
            return Err(PipelineError::Subjects { reason });
        };
        let interrupted = self.interrupted;
        let stop = || {
            if interrupted.load(Ordering::Relaxed) {
                resume_unwind(Box::new(Interrupted));
            }
        };
        // Both by one model, so that a change is none of the reading.
        let predictor = self.predictor(model)?;
        let (rows, files, visit) = compare(pair, files, order, last, predictor, &stop)?;
        Ok(Compared { rows, files, followup: Kept { visit, model, share } })
    }

    /// The first finished scan of each session, and the key of its prediction.
    fn sessions(&self, status: &SubjectStatus) -> Vec<(Session, String)> {
        let mut seen = Vec::new();
        let mut sessions = Vec::new();
        for scan in &status.scans {
            let session = scan.id.split('_').find(|part| part.starts_with("ses-"));
            let (Some(session), Some(stage), State::Done) = (session, &scan.predict, scan.state)
            else {
                continue;
            };
            if seen.contains(&session) {
                continue;
            }
            let ending = "_seg-lesions_dseg.json";
            let sidecar =
                stage.outputs.keys().find(|path| path.to_string_lossy().ends_with(ending));
            let Some(sidecar) = sidecar.map(|path| self.options.out.join(path)) else { continue };
            let by_model = |(_, id): &(String, String)| {
                self.options.models.iter().position(|bundle| bundle.id() == *id)
            };
            let model = scan.model.as_ref().and_then(by_model).unwrap_or(0);
            seen.push(session);
            let session =
                Session { scan: scan.id.clone(), sidecar, model, times: scan.times.clone() };
            sessions.push((session, stage.key.clone()));
        }
        sessions
    }
}

/// A session as it was read by a model of the run, with its share of the memory.
struct Kept<'a> {
    visit: Visit,
    model: usize,
    share: Share<'a>,
}

/// Two sessions that were compared.
struct Compared<'a> {
    /// The rows of the table of changes.
    rows: String,
    /// The files that were written.
    files: Vec<PathBuf>,
    /// The later one.
    followup: Kept<'a>,
}

/// Reads two sessions that follow each other together and writes what is new into the later one's folder. `last` is the
/// earlier one, if it has been read. Returns the rows of the table of changes, the files, and the later one.
///
/// # Errors
/// As [`Predictor::compare`] and [`Predictor::write_comparison`].
fn compare(
    pair: [&Session; 2],
    files: [CaseFiles; 2],
    order: OrderFrom,
    last: Option<Visit>,
    predictor: &mut Predictor,
    check_interrupt: &dyn Fn(),
) -> Result<(String, Vec<PathBuf>, Visit), PipelineError> {
    let [before, after] = pair;
    // A stated order counts, whatever the dates say.
    let days = match order {
        OrderFrom::Stated => [None; 2],
        _ => days(pair),
    };
    let comparison = predictor.compare_after(last, files, days, &mut |_| check_interrupt())?;
    let written =
        predictor.write_comparison(&comparison, after.sidecar.parent().unwrap_or(Path::new("")))?;
    let mut text = String::new();
    for lesion in &comparison.lesions {
        let row = cells(&comparison, lesion).join("\t");
        text += &format!("{}\t{}\t{row}\t{}\n", before.scan, after.scan, order.name());
    }
    let [_, followup] = comparison.visits;
    Ok((text, written.all, followup))
}

/// Writes a subject's table of changes.
///
/// # Errors
/// A full disk.
fn write(path: &Path, rows: &str) -> Result<(), PipelineError> {
    Ok(write_text(path, &(COLUMNS.join("\t") + "\n" + rows))?)
}

/// The columns behind the scans and before the order; the place is where it was seen last.
fn cells(comparison: &Comparison, lesion: &LesionOverVisits) -> Vec<String> {
    let followed = &comparison.followed[lesion.followed];
    let text = |value: Option<String>| value.unwrap_or_else(|| "n/a".to_owned());
    let number = |value: Option<f64>, digits: usize| text(value.map(|x| format!("{x:.digits$}")));
    let there =
        [0, 1].map(|visit| lesion.rows[visit].as_ref().filter(|_| lesion.change.is_there(visit)));
    let class = there.map(|row| text(row.map(|_| followed.site.class.to_string())));
    let own = [0, 1].map(|visit| text(comparison.own_number(lesion, visit).map(|n| n.to_string())));
    let volume = there.map(|row| number(row.map(|row| row.volume_mm3), 3));
    let chi = there.map(|row| number(row.and_then(|row| row.chi_total_ppm_mm3), 4));
    let seen: Option<&LesionRow> = there[1].or(there[0]);
    let apart = lesion.change.is_there(0) && lesion.change.is_there(1);
    let mut cells = vec![
        lesion.change.name().to_owned(),
        number(Some(followed.probability_of(lesion.change)), 4),
    ];
    cells.extend(class);
    cells.extend(own);
    cells.extend(volume);
    cells.extend(chi);
    cells.extend([
        number(seen.map(|row| row.x_mm), 2),
        number(seen.map(|row| row.y_mm), 2),
        number(seen.map(|row| row.z_mm), 2),
        number(apart.then(|| comparison.apart_mm(lesion)), 2),
        text(seen.and_then(|row| row.mars_region).map(|region| region.name().to_owned())),
        text(seen.and_then(|row| row.side).map(|side| side.name().to_owned())),
        comparison.comparability.verdict.in_words().to_owned(),
    ]);
    cells
}
