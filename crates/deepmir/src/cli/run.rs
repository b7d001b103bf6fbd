//! Arguments of `deepmir run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::filter::Choice;
use super::labels::Labels;
use super::memory;
use super::sections::sections;

/// Level of analysis, as BIDS Apps have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Each subject by itself: maps, lesions, a page
    Participant,
    /// The cohort's tables and its page, from all participant results in OUT
    Group,
}

/// Find lesions in a whole BIDS dataset, unattended.
///
/// The participant level takes every scan from the images it has to lesions: it reconstructs SWI and QSM
/// from raw echoes where they are missing, aligns T2w to them, finds lesions and writes a page per
/// subject. The group level then writes the cohort's tables and its page.
///
/// A repeated run does only what is missing or what changed (inputs, settings, model). Several runs, also
/// on several machines, can share one OUT folder. See docs/cohorts.md.
///
/// Command lines of fMRIPrep, QSIPrep and MRIQC can be carried over: options may be spelled with
/// underscores, and those that have no meaning here are refused with the reason.
#[derive(Debug, Args)]
#[command(version, after_long_help = sections(&[
    ("Examples", "  deepmir run BIDS OUT participant --dry-run
  deepmir run BIDS OUT participant --n-cpus 4 --mem-gb 16 -w /scratch/work
  deepmir run BIDS OUT participant --participant-label 01 02 --force
  deepmir run BIDS OUT group"),
    ("Files", "  OUT/sub-*/[ses-*/]anat/   per scan, all that `deepmir predict` writes; maps and aligned T2w where
                            they had to be made
  OUT/sub-*/*_desc-lesions_timeline.tsv
                            lesions across sessions: new, gone, grown, shrunk or stable; each
                            session with one before also has what `deepmir compare` writes
  OUT/status/sub-*.json     state of each subject: reasons, model, stages with checksums and seconds

  Of the group level, tables as .tsv and .parquet:

  OUT/group/subjects.*      one row per scan: state and reason, lesion counts by class, region and
                            certainty, cmb_pattern, image quality, outlier_in, model
  OUT/group/lesions.*       one row per lesion, with the columns of the lesion table
  OUT/group/timeline.*      one row per lesion and pair of sessions
  OUT/group/visits.*        one row per pair of sessions: new lesions, comparability
  OUT/group/index.html      the page: sortable table, distributions, outliers, links to the scans"),
    ("Exit status", "  0    success; scans without the images that a model needs are skipped, and named
  1    the command cannot be carried out; the message names the remedy
  2    internal error
  3    some subjects failed, each of them is named, and the others are done; or there was
       nothing that could be done
  130  interrupted; the same command continues"),
]))]
pub struct Run {
    /// BIDS dataset
    #[arg(value_name = "BIDS")]
    pub data: PathBuf,
    /// Folder of the derivatives
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// Level of analysis
    #[arg(value_name = "LEVEL")]
    pub level: Level,
    #[command(flatten)]
    pub only: Labels,
    #[command(flatten)]
    pub choice: Choice,
    /// The sessions of a subject in their order in time, with or without ses-
    ///
    /// By default the order is that of acq_time in *_sessions.tsv or *_scans.tsv, else of AcquisitionDateTime in the
    /// JSON files, else of the numbers in the labels. Where none of them tells, the order is a guess, which is said.
    #[arg(long, value_name = "SESSION", num_args = 1.., value_delimiter = ',')]
    pub session_order: Vec<String>,
    /// Print what would be done with each scan and why; do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Names of shipped models, or models' folders or .deepmir files; each scan gets the first model
    /// whose images it has
    #[arg(long, value_name = "MODEL", num_args = 1.., value_delimiter = ',', default_value = "default")]
    pub model: Vec<String>,
    /// Folder with brain masks (*_desc-brain_mask) of scans that have none beside them
    #[arg(long, value_name = "DIR")]
    pub masks: Option<PathBuf>,
    /// Folder for intermediate maps [default: beside the results]
    ///
    /// The field maps between raw echoes and susceptibility go there in place of OUT. No later run reads
    /// them, so the folder can be removed at any time. There are no other intermediate files: each is
    /// written beside its place, in OUT, and renamed. /tmp is not used.
    #[arg(short, long, value_name = "WORK")]
    pub work_dir: Option<PathBuf>,
    /// Subjects to process at once [default: one per thread, as far as memory allows]
    ///
    /// No more than --n-cpus, if both are given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Threads to reckon for each subject: as many subjects at once as --n-cpus then allows [default: 1]
    #[arg(long, value_name = "N", alias = "ants-nthreads", value_parser = clap::value_parser!(u16).range(1..))]
    pub omp_nthreads: Option<u16>,
    /// Memory for all subjects at once [default: four fifths of what is free]
    ///
    /// A subject waits until its share is free. One that needs more than there is fails and says how much;
    /// --dry-run prints what each needs.
    #[arg(long, value_name = "GB", value_parser = memory::gigabytes)]
    pub mem_gb: Option<f64>,
    /// As --mem-gb, in megabytes
    #[arg(long, value_name = "MB", value_parser = memory::megabytes, hide = true, conflicts_with = "mem_gb")]
    pub mem_mb: Option<f64>,
    /// As --mem-gb, with its unit
    #[arg(long, value_name = "SIZE", value_parser = memory::with_unit, hide = true, conflicts_with_all = ["mem_gb", "mem_mb"])]
    pub mem: Option<f64>,
    /// Continue from earlier runs; the default, overrides --force of a config file
    #[arg(long, overrides_with = "force")]
    pub resume: bool,
    /// Process everything again, whatever earlier runs left
    #[arg(long, overrides_with = "resume")]
    pub force: bool,
    /// Read every input again to detect changes, even if its size and time are unchanged
    #[arg(long)]
    pub rehash: bool,
    /// Accept a dataset without dataset_description.json
    ///
    /// Images and their sidecars are checked all the same when they are read.
    #[arg(long, alias = "skip-bids-validator")]
    pub skip_bids_validation: bool,
    /// Average over mirror images of each slice; takes four times as long
    #[arg(long)]
    pub flips: bool,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
    /// Refuse a scan about which there is any warning, and write no result for it
    #[arg(long)]
    pub strict: bool,
    /// Write files for ITK-SNAP, 3D Slicer and FreeSurfer: names and colours of labels, points
    #[arg(long)]
    pub viewer_files: bool,
}

impl Run {
    /// The memory that was asked for, in GB, however it was given.
    pub fn memory_gb(&self) -> Option<f64> {
        self.mem_gb.or(self.mem_mb).or(self.mem)
    }
}
