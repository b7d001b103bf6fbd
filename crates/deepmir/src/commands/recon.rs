//! `deepmir recon`.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use deepmir_cases::bids::{self, RawScan};
use deepmir_cases::choose;
use deepmir_pipeline::owner::refuse_other_maps;
use deepmir_pipeline::recon::{ReconInput, ReconSettings, Reconstructed};
use deepmir_pipeline::scan;
use deepmir_recon::Unwrapping;
use deepmir_recon::background::BackgroundRemoval;
use deepmir_recon::input::{EchoParts, ReadOptions, ScanFiles};
use deepmir_recon::inversion::Inversion;

use super::scan::{ReconProgress, log};
use crate::cli::{BackgroundName, Common, InversionName, Labels, RawFiles, Recon, UnwrappingName};
use crate::config;
use crate::status::{ExitStatus, with_causes};

pub fn run(arguments: &Recon, common: &Common) -> anyhow::Result<()> {
    let settings = settings(arguments, common)?;
    if arguments.raw.is_given() {
        if arguments.data.is_some() {
            bail!("give a BIDS dataset, or --mag and --phase, not both");
        }
        let output = output(arguments)?;
        let input = ReconInput {
            files: arguments.raw.files()?,
            read: arguments.raw.read_options(arguments.nan_to_zero),
            mask: arguments.mask.clone(),
            t2w: arguments.t2w.clone(),
        };
        let stem = arguments.raw.stem();
        if !arguments.overwrite {
            refuse_other_maps(&input.files, &stem, output)?;
        }
        announce(&reconstruct(&input, &settings, output, &stem, common)?);
        return Ok(());
    }
    let Some(data) = &arguments.data else {
        bail!("give a BIDS dataset with raw echoes, or the files with --mag and --phase");
    };
    let output = output(arguments)?;
    let scans = chosen(bids::raw_scans(data)?, data, &arguments.only)?;
    if arguments.mask.is_some() || arguments.t2w.is_some() {
        bail!("--mask and --t2w are for one scan given by --mag and --phase");
    }
    let mut failures = Vec::new();
    for scan in scans {
        tracing::info!("{}", scan.id);
        let input = ReconInput {
            files: ScanFiles { echoes: scan.echoes, ..arguments.raw.overrides() },
            read: arguments.raw.read_options(arguments.nan_to_zero),
            mask: None,
            t2w: scan.t2w,
        };
        let folder = output.join(&scan.folder);
        let own = match arguments.overwrite {
            true => Ok(()),
            false => refuse_other_maps(&input.files, &scan.id, &folder),
        };
        let made = own
            .map_err(anyhow::Error::from)
            .and_then(|()| reconstruct(&input, &settings, &folder, &scan.id, common));
        match made {
            Ok(made) => announce(&made),
            Err(error) => {
                let error = with_causes(&error);
                tracing::warn!("{} failed: {error}", scan.id);
                failures.push(format!("{}: {error}", scan.id));
            }
        }
    }
    bids::write_dataset_description(output)?;
    if failures.is_empty() {
        return Ok(());
    }
    Err(ExitStatus::SomeFailed(format!("some scans failed\n  {}", failures.join("\n  "))).into())
}

/// Runs the chain with a progress bar and logs what each stage took.
fn reconstruct(
    input: &ReconInput,
    settings: &ReconSettings,
    folder: &Path,
    stem: &str,
    common: &Common,
) -> anyhow::Result<Reconstructed> {
    let mut progress = ReconProgress::new(common);
    let made = scan::reconstruct(input, settings, folder, stem, &mut |what| progress.next(what));
    progress.finish();
    let (_, made) = made?;
    log(&made);
    Ok(made)
}

#[expect(clippy::print_stdout, reason = "the answer")]
fn announce(result: &Reconstructed) {
    for (_, path) in result.images() {
        println!("{}", path.display());
    }
    println!("{}", result.mask.display());
}

fn output(arguments: &Recon) -> anyhow::Result<&Path> {
    match (&arguments.out, &arguments.output) {
        (Some(out), None) | (None, Some(out)) => Ok(out),
        (Some(_), Some(_)) => bail!("the output folder is given twice"),
        (None, None) => bail!("give the output folder: deepmir recon BIDS OUT, or -o OUT"),
    }
}

fn chosen(mut scans: Vec<RawScan>, data: &Path, only: &Labels) -> anyhow::Result<Vec<RawScan>> {
    if scans.is_empty() {
        bail!(
            "no raw echoes (*_part-mag_MEGRE, *_part-phase_MEGRE) in this dataset: {}",
            data.display()
        );
    }
    choose(
        &mut scans,
        (&only.participant_label, |scan| &scan.subject),
        (&only.session_label, |scan| scan.session.as_deref()),
        data,
    )
    .map_err(|error| anyhow!("of the scans with raw echoes, {error}"))?;
    Ok(scans)
}

/// The `[recon]` table of the config file, or the default.
pub fn configured(common: &Common) -> anyhow::Result<ReconSettings> {
    let Some(path) = &common.config else { return Ok(ReconSettings::default()) };
    match config::read(path)?.remove("recon") {
        Some(table) => table.try_into().map_err(|error| anyhow!("{error}: {}", path.display())),
        None => Ok(ReconSettings::default()),
    }
}

fn settings(arguments: &Recon, common: &Common) -> anyhow::Result<ReconSettings> {
    let mut settings = configured(common)?;
    let chain = &mut settings.chain;
    if let Some(name) = arguments.unwrapping {
        chain.unwrapping = match name {
            UnwrappingName::Romeo => Unwrapping::Romeo,
            UnwrappingName::Laplacian => Unwrapping::Laplacian,
        };
    }
    if let Some(name) = arguments.background {
        chain.background = match name {
            BackgroundName::Vsharp => BackgroundRemoval::VSHARP,
            BackgroundName::Resharp => BackgroundRemoval::RESHARP,
            BackgroundName::Pdf => BackgroundRemoval::PDF,
        };
    }
    if let Some(name) = arguments.inversion {
        chain.inversion = match name {
            InversionName::Tv => Inversion::TOTAL_VARIATION,
            InversionName::Tkd => Inversion::THRESHOLDED_KERNEL,
            InversionName::L2 => Inversion::CLOSED_FORM_L2,
        };
    }
    Ok(settings)
}

impl RawFiles {
    /// Whether any echo is given.
    pub fn is_given(&self) -> bool {
        [&self.mag, &self.phase, &self.real, &self.imag].iter().any(|files| !files.is_empty())
    }

    /// The echoes, paired in their order.
    pub fn files(&self) -> anyhow::Result<ScanFiles> {
        let pair = |a: &[PathBuf], b: &[PathBuf], names: [&str; 2]| {
            if a.len() != b.len() {
                bail!(
                    "{} files for {} and {} for {}: give one of each for each echo, in order",
                    a.len(),
                    names[0],
                    b.len(),
                    names[1]
                );
            }
            Ok(a.iter().cloned().zip(b.iter().cloned()).collect::<Vec<_>>())
        };
        let polar = pair(&self.mag, &self.phase, ["--mag", "--phase"])?;
        let cartesian = pair(&self.real, &self.imag, ["--real", "--imag"])?;
        let polar =
            polar.into_iter().map(|(magnitude, phase)| EchoParts::Polar { magnitude, phase });
        let cartesian =
            cartesian.into_iter().map(|(real, imaginary)| EchoParts::Cartesian { real, imaginary });
        Ok(ScanFiles { echoes: polar.chain(cartesian).collect(), ..self.overrides() })
    }

    /// What overrides the sidecars.
    pub fn overrides(&self) -> ScanFiles {
        ScanFiles {
            echoes: Vec::new(),
            echo_times_s: self.te.clone(),
            field_strength_t: self.b0,
            b0_direction: self.b0_direction.as_slice().try_into().ok(),
        }
    }

    /// How the images are read.
    pub fn read_options(&self, nan_to_zero: bool) -> ReadOptions {
        ReadOptions {
            phase_units: self.phase_units,
            invert_phase: self.invert_phase,
            non_finite_as_zero: nan_to_zero,
        }
    }

    /// What the names of the results begin with.
    pub fn stem(&self) -> String {
        let first = self.mag.first().or_else(|| self.real.first());
        let Some(path) = first else { return "scan".to_owned() };
        match bids::BidsName::parse(path) {
            Some(name) => name.scan(),
            None => deepmir_volume::nifti::stem(path),
        }
    }
}
