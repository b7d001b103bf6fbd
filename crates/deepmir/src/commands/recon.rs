//! `deepmir recon`.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use deepmir_cases::bids::{self, Scan, SubjectFolder};
use deepmir_cases::outputs::{check_derivatives_folder, check_not_written_over};
use deepmir_cases::{LabelKind, Modality, choose};
use deepmir_pipeline::owner::refuse_other_maps;
use deepmir_pipeline::recon::{ReconInput, ReconSettings, Reconstructed};
use deepmir_pipeline::scan;
use deepmir_recon::background::BackgroundRemoval;
use deepmir_recon::input::{EchoParts, ReadOptions, ScanFiles};
use deepmir_recon::inversion::Inversion;
use deepmir_recon::measures::remove_measures;
use deepmir_recon::output::writes;
use deepmir_recon::{FieldFitMethod, Reference, Unwrapping};

use super::recon_truth;
use super::scan::{ReconProgress, log};
use crate::cli::{
    BackgroundName, Common, FieldFitName, InversionName, Labels, RawFiles, Recon, ReferenceName,
    UnwrappingName,
};
use crate::config;
use crate::status::{ExitStatus, with_causes};

pub fn run(arguments: &Recon, common: &Common) -> anyhow::Result<()> {
    let settings = settings(arguments, common)?;
    if let Some(chi_map) = &arguments.chimap {
        return recon_truth::of_map(chi_map, arguments, output(arguments)?);
    }
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
            r2: arguments.raw.r2.clone(),
            strict: arguments.strict,
        };
        let stem = arguments.raw.stem();
        input.check_places(output, &stem)?;
        if !arguments.overwrite {
            refuse_other_maps(&input.files, &stem, output)?;
        }
        check_truth(&input, arguments, output, &stem)?;
        let made = reconstruct(&input, &settings, output, &stem, common)?;
        announce(&made);
        return compare(&made, arguments, output, &stem);
    }
    let Some(data) = &arguments.data else {
        bail!(
            "give a BIDS dataset with raw echoes, the files with --mag and --phase, or a map with --chimap and --truth"
        );
    };
    let output = output(arguments)?;
    check_derivatives_folder(output, Some(data))?;
    let (scans, mut failures) = chosen(data, arguments)?;
    let for_one = [&arguments.mask, &arguments.t2w, &arguments.raw.r2, &arguments.truth];
    if for_one.iter().any(|given| given.is_some()) && scans.len() != 1 {
        bail!(
            "--mask, --t2w, --r2 and --truth are for one scan, and these are {}; choose one with --participant-label and --session-label",
            scans.len()
        );
    }
    std::fs::create_dir_all(output)
        .map_err(|error| anyhow!("cannot write ({error}): {}", output.display()))?;
    bids::write_dataset_description(output)?;
    for scan in scans {
        tracing::info!("{}", scan.id);
        for warning in &scan.warnings {
            tracing::warn!("{}: {warning}", scan.id);
        }
        match one(&scan, arguments, &settings, output, common) {
            Ok(()) => {}
            Err(error) => {
                let error = with_causes(&error);
                tracing::warn!("{} failed: {error}", scan.id);
                failures.push(format!("{}: {error}", scan.id));
            }
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(ExitStatus::SomeFailed(format!("some scans failed\n  {}", failures.join("\n  "))).into())
}

/// One scan of a dataset.
fn one(
    scan: &Scan,
    arguments: &Recon,
    settings: &ReconSettings,
    output: &Path,
    common: &Common,
) -> anyhow::Result<()> {
    let mut t2w = arguments.t2w.clone();
    if t2w.is_none() {
        scan.check_single(&[Modality::T2w])?;
        t2w = scan.images.get(&Modality::T2w).cloned();
    }
    let echoes = scan.echoes.clone().map_err(|reason| anyhow!("{reason}"))?;
    let beside = scan.r2_map.as_ref().filter(|_| settings.chain.separation.is_some());
    let input = ReconInput {
        files: ScanFiles { echoes, ..arguments.raw.overrides()? },
        read: arguments.raw.read_options(arguments.nan_to_zero),
        mask: arguments.mask.clone(),
        t2w,
        r2: arguments.raw.r2.clone().or_else(|| beside.cloned()),
        strict: arguments.strict,
    };
    let folder = output.join(scan.folder());
    input.check_places(&folder, &scan.id)?;
    if !arguments.overwrite {
        refuse_other_maps(&input.files, &scan.id, &folder)?;
    }
    check_truth(&input, arguments, &folder, &scan.id)?;
    let made = reconstruct(&input, settings, &folder, &scan.id, common)?;
    announce(&made);
    compare(&made, arguments, &folder, &scan.id)
}

/// A truth on another grid, or one that would be written over, is told before the reconstruction.
fn check_truth(
    input: &ReconInput,
    arguments: &Recon,
    folder: &Path,
    stem: &str,
) -> anyhow::Result<()> {
    let Some(echo) = input.given().next() else { return Ok(()) };
    let Some(files) = recon_truth::asked(arguments, echo.to_owned(), None) else { return Ok(()) };
    let given = [Some(&files.truth), files.labels.as_ref()].into_iter().flatten();
    check_not_written_over(given.map(PathBuf::as_path), folder, &|name| {
        writes(stem, input.t2w.is_some(), name)
    })?;
    Ok(files.check_grid(echo)?)
}

/// Measures a map that was made against the truth, where there is one; measures of an earlier map do not stay.
fn compare(
    made: &Reconstructed,
    arguments: &Recon,
    folder: &Path,
    stem: &str,
) -> anyhow::Result<()> {
    match recon_truth::asked(arguments, made.chi_map.clone(), Some(made.mask.clone())) {
        Some(files) => recon_truth::compare(&files, folder, stem),
        None => Ok(remove_measures(folder, stem)?),
    }
}

/// Runs the chain with a progress bar and logs what each stage took.
fn reconstruct(
    input: &ReconInput,
    settings: &ReconSettings,
    folder: &Path,
    stem: &str,
    common: &Common,
) -> anyhow::Result<Reconstructed> {
    input.check_memory(stem)?;
    let mut progress = ReconProgress::new(common);
    let made = scan::reconstruct(input, settings, folder, stem, &mut |what| progress.next(what));
    progress.finish();
    let (_, made) = made?;
    log(&made);
    for warning in &made.warnings {
        tracing::warn!("{stem}: {warning}");
    }
    Ok(made)
}

fn announce(result: &Reconstructed) {
    for (_, path) in result.images() {
        say!("{}", path.display());
    }
    say!("{}", result.mask.display());
}

fn output(arguments: &Recon) -> anyhow::Result<&Path> {
    match (&arguments.out, &arguments.output) {
        (Some(out), None) | (None, Some(out)) => Ok(out),
        (Some(_), Some(_)) => bail!("the output folder is given twice"),
        (None, None) => bail!("give the output folder: deepmir recon BIDS OUT, or -o OUT"),
    }
}

/// The scans with raw echoes that were asked for, and subjects whose folders are at fault.
fn chosen(data: &Path, arguments: &Recon) -> anyhow::Result<(Vec<Scan>, Vec<String>)> {
    let Labels { participant_label: wanted, session_label } = &arguments.only;
    let filters = arguments.choice.filters()?;
    let mut folders = bids::subject_folders(data)?;
    let there = folders.iter().map(|folder| folder.name.as_str());
    if let Some(unknown) = LabelKind::Subject.unknown(wanted.iter().map(String::as_str), there) {
        bail!("{unknown}: {}", data.display());
    }
    let wanted: Vec<String> = wanted.iter().map(|name| LabelKind::Subject.full(name)).collect();
    folders.retain(|folder| wanted.is_empty() || wanted.contains(&folder.name));
    let (mut scans, mut failures) = (Vec::new(), Vec::new());
    for SubjectFolder { name, path } in folders {
        match bids::scans_of(&name, &path, &filters) {
            Ok(found) => scans.extend(found),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    let has_none = |scan: &Scan| scan.echoes.as_ref().is_ok_and(Vec::is_empty);
    let (without, mut scans): (Vec<Scan>, Vec<Scan>) = scans.into_iter().partition(has_none);
    for scan in &without {
        let notes = scan.notes.iter().filter(|note| note.contains("without phase"));
        notes.for_each(|note| tracing::warn!("{} is passed over: {note}", scan.id));
    }
    if scans.is_empty() && failures.is_empty() {
        bail!(
            "no raw echoes (*_part-mag_MEGRE, *_part-phase_MEGRE) in this dataset: {}",
            data.display()
        );
    }
    let has_echoes = |name: &&String| {
        let bare = LabelKind::Subject.bare(name);
        scans.iter().any(|scan| scan.subject == bare)
            || failures.iter().any(|failure| failure.starts_with(&format!("{name}: ")))
    };
    let asked_in_vain: Vec<String> =
        wanted.iter().filter(|name| !has_echoes(name)).cloned().collect();
    failures.extend(asked_in_vain.iter().map(|name| format!("{name}: it has no raw echoes")));
    choose(
        &mut scans,
        (&[], |scan: &Scan| &scan.subject),
        (session_label, |scan| scan.session.as_deref()),
        data,
    )
    .map_err(|error| anyhow!("of the scans with raw echoes, {error}"))?;
    Ok((scans, failures))
}

/// The `[recon]` table of the config file, or the default.
pub fn configured(common: &Common) -> anyhow::Result<ReconSettings> {
    let Some(path) = &common.config else { return Ok(ReconSettings::default()) };
    match config::read(path)?.remove("recon") {
        Some(table) => table.try_into().map_err(|error| anyhow!("{error}: {}", path.display())),
        None => Ok(ReconSettings::default()),
    }
}

/// The same for commands that look for lesions alone: nothing reads the parts of susceptibility there.
pub fn without_parts(common: &Common) -> anyhow::Result<ReconSettings> {
    let mut settings = configured(common)?;
    settings.chain.separation = None;
    Ok(settings)
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
    if let Some(name) = arguments.field_fit {
        chain.field_fit = match name {
            FieldFitName::Early => FieldFitMethod::Early,
            FieldFitName::Line => FieldFitMethod::Line,
            FieldFitName::Complex => FieldFitMethod::Complex,
        };
    }
    if let Some(name) = arguments.background {
        chain.background = match name {
            BackgroundName::Tfi => BackgroundRemoval::TFI,
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
    if let Some(name) = arguments.reference {
        settings.reference = match name {
            ReferenceName::Brain => Reference::Brain,
            ReferenceName::Fluid => Reference::Fluid,
        };
    }
    arguments.raw.separate(&mut settings);
    Ok(settings)
}

impl RawFiles {
    /// Turns on the separation of susceptibility if R2, or its share of R2*, is given.
    pub fn separate(&self, settings: &mut ReconSettings) {
        if self.r2.is_some() || self.r2_share.is_some() {
            let separation = settings.chain.separation.get_or_insert_default();
            separation.r2_share = self.r2_share.or(separation.r2_share);
        }
    }

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
        Ok(ScanFiles { echoes: polar.chain(cartesian).collect(), ..self.overrides()? })
    }

    /// What overrides the sidecars.
    pub fn overrides(&self) -> anyhow::Result<ScanFiles> {
        let b0_direction = match self.b0_direction.as_slice() {
            [] => None,
            &[x, y, z] => Some([x, y, z]),
            other => bail!("{} numbers for --b0-direction: give three, X,Y,Z", other.len()),
        };
        Ok(ScanFiles {
            echoes: Vec::new(),
            echo_times_s: self.te.clone(),
            field_strength_t: self.b0,
            b0_direction,
        })
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
