//! Phantoms that are simulated while a network trains on them.

use std::path::PathBuf;

use deepmir_cases::CaseFiles;
use deepmir_cases::Cohort;
use deepmir_net::NetError;
use deepmir_net::train::SyntheticSubjects;
use deepmir_phantom::PhantomConfig;
use deepmir_phantom::bids::{AnatomySource, DatasetPlan, write_dataset};

/// Simulates phantoms, each with a head of its own, as small datasets in a folder; those that are there
/// already are not made again.
pub struct PhantomStream {
    /// Where they are written.
    pub folder: PathBuf,
    /// Settings that are randomised.
    pub config: PhantomConfig,
    /// Whether each has a scanner and a protocol of its own.
    pub randomize: bool,
    /// Seed of all of them.
    pub seed: u64,
}

impl SyntheticSubjects for PhantomStream {
    fn subject(&self, n: usize) -> Result<CaseFiles, NetError> {
        let name = format!("phantom-{:04}", n + 1);
        let dataset = self.folder.join(&name);
        let plan = DatasetPlan {
            config: self.config.clone(),
            anatomy: AnatomySource::BuiltIn,
            subjects: 1,
            sessions: 1,
            randomize: self.randomize,
            // Far from each other and from the small seeds that users give to `deepmir phantom`.
            seed: self.seed.wrapping_add(1) << 32 | n as u64,
        };
        let failed = |reason: String| NetError::Config {
            reason: format!("a phantom to train on could not be simulated: {reason}"),
        };
        write_dataset(&dataset, &plan, &mut |_| {}).map_err(|error| failed(error.to_string()))?;
        let cohort = Cohort::read(&dataset, None).map_err(|error| failed(error.to_string()))?;
        let case = cohort.cases.into_iter().next();
        let case = case.ok_or_else(|| failed(format!("nothing in {}", dataset.display())))?;
        Ok(CaseFiles { id: name, ..case })
    }

    fn settings(&self) -> String {
        let Self { config, randomize, seed, .. } = self;
        let config = toml::to_string(config).unwrap_or_default();
        format!("seed {seed}, randomized: {randomize}\n{config}")
    }
}
