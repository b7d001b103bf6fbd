//! One scan with progress bars, for `predict` and `demo`.

use std::path::Path;

use deepmir_pipeline::predict::Predictor;
use deepmir_pipeline::recon::Reconstructed;
use deepmir_pipeline::scan::{Processed, ScanEvent, ScanSource, process};
use deepmir_recon::Stage;

use crate::cli::Common;
use crate::progress::Progress;

/// Reading, outlining, the chain's stages, writing and aligning.
const STEPS: u64 = Stage::ALL.len() as u64 + 4;

/// A progress bar over the steps of a reconstruction.
pub struct ReconProgress {
    bar: Progress,
    step: u64,
}

impl ReconProgress {
    pub fn new(common: &Common) -> Self {
        Self { bar: Progress::new("reconstructing", STEPS, common), step: 0 }
    }

    /// The next step begins.
    pub fn next(&mut self, what: &str) {
        self.bar.set(self.step, || what.to_owned());
        self.step += 1;
    }

    pub fn finish(&self) {
        self.bar.finish();
    }
}

/// Takes a scan from what there is to lesions on disk.
pub fn run(
    source: ScanSource,
    predictor: &mut Predictor,
    folder: &Path,
    common: &Common,
) -> anyhow::Result<Processed> {
    let mut recon: Option<ReconProgress> = None;
    let mut slices: Option<Progress> = None;
    let processed = process(source, predictor, folder, &mut |event| match event {
        ScanEvent::Reconstructing(what) => {
            recon.get_or_insert_with(|| ReconProgress::new(common)).next(what);
        }
        ScanEvent::Reconstructed(made) => {
            recon.iter().for_each(ReconProgress::finish);
            log(made);
        }
        ScanEvent::Slices { done, total } => {
            let bar = slices.get_or_insert_with(|| Progress::new("slices", total as u64, common));
            bar.set(done as u64, String::new);
        }
    });
    recon.iter().for_each(ReconProgress::finish);
    slices.iter().for_each(Progress::finish);
    let processed = processed?;
    // Those of a reconstruction come back with its maps.
    for warning in &processed.prediction.quality.warnings {
        tracing::warn!("{warning}");
    }
    Ok(processed)
}

/// Logs how the phase was read, how T2w was aligned and how long each stage took.
pub fn log(made: &Reconstructed) {
    if let Some(scaling) = &made.phase_scaling {
        tracing::info!("phase: {scaling}");
    }
    if let Some(found) = &made.registration {
        tracing::info!(
            "T2w turned by {:.1}°, similarity {:.3}, overlap {:.0} %",
            found.transform.angle_degrees(),
            found.similarity,
            100.0 * found.overlap
        );
    }
    for (stage, time) in &made.timings {
        tracing::debug!("{}: {:.2} s", stage.name(), time.as_secs_f64());
    }
}
