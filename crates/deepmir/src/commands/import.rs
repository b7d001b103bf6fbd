//! `deepmir import`.

use std::collections::BTreeMap;

use anyhow::{anyhow, bail};
use deepmir_dicom::{Key, Labels, Line, SegmentClasses, Summary, Survey};

use crate::cli::{Common, Import};
use crate::progress::with_steps;
use crate::status::ExitStatus;

/// The key itself, where no file is given.
const KEY_VARIABLE: &str = "DEEPMIR_IMPORT_KEY";

pub fn run(arguments: &Import, common: &Common) -> anyhow::Result<()> {
    let labels = labels(arguments)?;
    let survey =
        with_steps("reading", common, |step| Survey::read(&arguments.dicom, &labels, step))?;
    let mut failures = tell_of_files(&survey);
    let lines = survey.lines();
    tell(&lines);
    let mut classes = SegmentClasses::default();
    arguments.segments.iter().for_each(|(label, class)| classes.add(label, *class));
    let (maps, faults) = survey.label_maps(&classes);
    maps.iter().for_each(|map| say!("segmentation: {}.nii.gz", map.name));
    failures.extend(faults.iter().map(ToString::to_string));
    if arguments.dry_run {
        let failed = lines.iter().filter(|line| line.has_failed());
        let failed: Vec<String> =
            failed.map(|line| format!("{}: {}", name(line), line.why)).collect();
        return conclude(failures, failed, survey.has_images());
    }
    if !survey.has_images() {
        bail!(
            "none of these series is of use; the list says why: {}",
            arguments.dicom[0].display()
        );
    }
    let summary = with_steps("writing", common, |step| {
        survey.write(&arguments.output, arguments.keep_dates, &maps, step)
    })?;
    let Summary { subjects, images, label_maps, failures: failed } = summary;
    let count =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    say!(
        "{} of {}: {}",
        count(images, "image"),
        count(subjects.len(), "subject"),
        arguments.output.display()
    );
    if label_maps > 0 {
        say!("{} of segmentations", count(label_maps, "label map"));
    }
    conclude(failures, failed.iter().map(ToString::to_string).collect(), images > 0)
}

/// How patients become subjects: by the table, the key that was given, or a random one.
fn labels(arguments: &Import) -> anyhow::Result<Labels> {
    if let Some(path) = &arguments.subjects {
        return Ok(Labels::read_table(path)?);
    }
    if let Some(path) = &arguments.key {
        let bytes = std::fs::read(path)
            .map_err(|error| anyhow!("cannot read ({error}): {}", path.display()))?;
        return Ok(Labels::Hashed(Key::new(&bytes, &path.display().to_string())?));
    }
    if let Some(key) = std::env::var_os(KEY_VARIABLE) {
        return Ok(Labels::Hashed(Key::new(key.as_encoded_bytes(), KEY_VARIABLE)?));
    }
    if !arguments.dry_run {
        tracing::info!(
            "subjects are named by a random key that is not kept: in another import the same patient has another \
             label; give --key FILE or --subjects TSV to choose"
        );
    }
    Ok(Labels::Hashed(Key::random()?))
}

/// Tells which files were passed over; returns those that are damaged.
fn tell_of_files(survey: &Survey) -> Vec<String> {
    for (what, count) in &survey.passed_over {
        tracing::info!("passed over: {count} × {what}");
    }
    if survey.copies > 0 {
        tracing::info!("passed over: {} × a copy of an image", survey.copies);
    }
    let mut failures: Vec<String> = survey.damaged.iter().map(ToString::to_string).collect();
    if survey.unknown_patients > 0 {
        failures.push(format!(
            "{} of the patients have no row in the table of --subjects, and their images are left out",
            survey.unknown_patients
        ));
    }
    failures
}

fn tell(lines: &[Line]) {
    let mut by_scan: BTreeMap<(Option<&str>, Option<&str>), Vec<&Line>> = BTreeMap::new();
    for line in lines {
        let scan = (line.subject.as_deref(), line.session.as_deref());
        by_scan.entry(scan).or_default().push(line);
    }
    for ((subject, session), lines) in by_scan {
        let subject = subject.map_or("no label".to_owned(), |label| format!("sub-{label}"));
        let session = session.map_or(String::new(), |label| format!(" ses-{label}"));
        say!("{subject}{session}");
        for line in lines {
            let [columns, rows] = line.pixels;
            let size = format!("{columns} × {rows} × {}", line.slices);
            let time = line.echo_time_ms.map_or(String::new(), |time| format!("{time:.2} ms"));
            let (name, taken_for, why) = (name(line), &line.taken_for, &line.why);
            say!("  {name:<12} {size:<17} {time:>9}  {taken_for:<24} {why}");
        }
    }
}

fn name(line: &Line) -> String {
    line.series.map_or("no number".to_owned(), |number| format!("series {number}"))
}

fn conclude(mut failures: Vec<String>, failed: Vec<String>, any: bool) -> anyhow::Result<()> {
    failures.extend(failed);
    let listed = failures.join("\n  ");
    match (failures.is_empty(), any) {
        (true, true) => Ok(()),
        (true, false) => bail!("none of these series is of use; the list says why"),
        (false, false) => bail!("nothing could be imported\n  {listed}"),
        (false, true) => {
            Err(ExitStatus::SomeFailed(format!("some series or files failed\n  {listed}")).into())
        }
    }
}
