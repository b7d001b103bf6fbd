//! Which of several images of one kind.

use std::path::PathBuf;

use clap::Args;
use deepmir_cases::bids::Filters;

/// Which of several images of one kind, by the entities of their names.
#[derive(Clone, Debug, Default, Args)]
pub struct Choice {
    /// Choose among several images of one kind: t2w=acq-cor, echoes=acq-qsm_run-1, t2w=acq-none
    ///
    /// Kinds are swi, qsm, t2w, echoes and mask; a value of `none` is a name without the entity, and `*` any value.
    /// swi=suffix-T2starw takes T2*-weighted magnitudes for SWI, which show fewer lesions.
    #[arg(long, value_name = "KIND=ENTITIES", num_args = 1..)]
    pub filter: Vec<String>,
    /// The same from a JSON file in the form of fMRIPrep's: {"t2w": {"acquisition": "cor"}}
    #[arg(long, value_name = "FILE")]
    pub bids_filter_file: Option<PathBuf>,
}

impl Choice {
    /// All filters.
    ///
    /// # Errors
    /// What is wrong with one.
    pub fn filters(&self) -> anyhow::Result<Filters> {
        let mut filters = Filters::default();
        if let Some(path) = &self.bids_filter_file {
            filters.read(path)?;
        }
        for text in &self.filter {
            filters.add(text).map_err(|reason| anyhow::anyhow!("--filter: {reason}"))?;
        }
        Ok(filters)
    }
}
