//! `deepmir annotate`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use deepmir_annotate::export::{Combine, export, import, write_pending};
use deepmir_annotate::server::{Options, serve};
use deepmir_annotate::{CaseFiles, Dataset, ImageKind, Store};
use deepmir_cases::Modality;
use deepmir_cases::bids::{self, BidsName, Scan};
use deepmir_volume::nifti;

use crate::cli::{Annotate, CombineName};

pub fn run(arguments: &Annotate) -> anyhow::Result<()> {
    if !arguments.host.is_loopback() && !arguments.i_understand {
        anyhow::bail!(
            "--host {} exposes this page to the network; images and names of subjects are sent unencrypted. Add \
             --i-understand if that is allowed, or use a tunnel: ssh -L PORT:127.0.0.1:PORT HOST",
            arguments.host
        );
    }
    let dataset = open(arguments)?;
    if let (Some(folder), Some(rater)) = (&arguments.import, &arguments.rater) {
        return import_marks(&dataset, folder, rater);
    }
    if let Some(folder) = &arguments.export {
        return export_marks(&dataset, folder, arguments);
    }
    let cases = dataset.cases.len();
    let out = dataset.out.clone();
    let options = Options {
        dataset,
        rater: arguments.rater.clone(),
        host: arguments.host,
        port: arguments.port,
    };
    serve(options, |url| {
        print_line(url);
        tracing::info!(
            "{cases} cases; annotations are saved in {}; stop with Ctrl-C",
            out.display()
        );
    })?;
    Ok(())
}

/// Prints a line and flushes it, for programs that wait for it.
#[expect(clippy::print_stdout, reason = "the answer")]
fn print_line(line: &str) {
    println!("{line}");
    let _ = std::io::stdout().flush();
}

fn import_marks(dataset: &Dataset, folder: &Path, rater: &str) -> anyhow::Result<()> {
    let maps = bids::label_maps(folder)?;
    if maps.is_empty() {
        anyhow::bail!(
            "no lesion label maps (*_seg-lesions_dseg.nii.gz) here: {}",
            folder.display()
        );
    }
    let store = Store::open(&dataset.out)?;
    let imported = import(dataset, &store, rater, &maps)?;
    write_pending(dataset, &store)?;
    print_line(&format!("{imported} label maps imported as annotations of {rater}"));
    Ok(())
}

fn export_marks(dataset: &Dataset, folder: &Path, arguments: &Annotate) -> anyhow::Result<()> {
    let combine = match arguments.combine.unwrap_or(CombineName::One) {
        CombineName::One => Combine::One,
        CombineName::Union => Combine::Union,
        CombineName::Intersection => Combine::Intersection,
        CombineName::Adjudicated => Combine::Adjudicated,
    };
    let store = Store::open(&dataset.out)?;
    write_pending(dataset, &store)?;
    let possible = !arguments.without_possible;
    let done = export(dataset, &store, folder, &arguments.raters, combine, possible)?;
    if done.written == 0 {
        anyhow::bail!("no case is finished by all requested raters; nothing was exported");
    }
    bids::write_dataset_description(folder)?;
    if !done.unfinished.is_empty() {
        tracing::warn!("skipped, not finished: {}", done.unfinished.join(", "));
    }
    print_line(&format!("{} label maps in {}", done.written, folder.display()));
    Ok(())
}

fn open(arguments: &Annotate) -> anyhow::Result<Dataset> {
    let mut scans = bids::scans(&arguments.data)?;
    let wanted = &arguments.participant_label;
    let label = |name: &String| name.trim_start_matches("sub-").to_owned();
    if !wanted.is_empty() {
        let names: Vec<String> = wanted.iter().map(label).collect();
        if let Some(missing) =
            names.iter().find(|name| scans.iter().all(|scan| scan.subject != **name))
        {
            anyhow::bail!("there is no subject {missing} in {}", arguments.data.display());
        }
        scans.retain(|scan| names.contains(&scan.subject));
    }
    let candidates = match &arguments.candidates {
        Some(folder) => bids::label_maps(folder)?,
        None => BTreeMap::new(),
    };
    let cases =
        scans.into_iter().map(|scan| case(scan, &candidates)).collect::<anyhow::Result<_>>()?;
    let default = arguments.data.join("derivatives").join("annotate");
    let out = arguments.derivatives.clone().unwrap_or(default);
    let roots: Vec<PathBuf> =
        std::iter::once(&arguments.data).chain(&arguments.candidates).cloned().collect();
    let dataset = Dataset::new(cases, out, &roots)?;
    std::fs::create_dir_all(&dataset.out)
        .map_err(|error| anyhow::anyhow!("cannot write ({error}): {}", dataset.out.display()))?;
    bids::write_dataset_description(&dataset.out)?;
    Ok(dataset)
}

fn case(scan: Scan, candidates: &BTreeMap<String, PathBuf>) -> anyhow::Result<CaseFiles> {
    let Some((_, reference)) = scan.images.first_key_value() else {
        anyhow::bail!("{} has no SWI, QSM or T2w image", scan.id);
    };
    let name = BidsName::derived_from(reference)
        .with(&[("seg", "lesions"), ("desc", "{desc}")], "", "")
        .trim_end_matches('_')
        .to_owned();
    let mut folder = PathBuf::from(format!("sub-{}", scan.subject));
    if let Some(session) = &scan.session {
        folder.push(format!("ses-{session}"));
    }
    let mut images: Vec<(ImageKind, PathBuf)> = scan
        .images
        .iter()
        .map(|(modality, path)| {
            let kind = match modality {
                Modality::Swi => ImageKind::Swi,
                Modality::Qsm => ImageKind::Qsm,
                Modality::T2w => ImageKind::T2w,
            };
            (kind, path.clone())
        })
        .collect();
    if let Some(beside) = reference.parent() {
        images.extend(optional_images(beside, &scan.id));
    }
    Ok(CaseFiles {
        candidates: candidates.get(&scan.id).cloned(),
        folder: folder.join("anat"),
        images,
        brain: scan.mask,
        name,
        id: scan.id,
    })
}

/// Minimum-intensity projection and phase (of the last echo) beside a scan's images.
fn optional_images(folder: &Path, scan: &str) -> Vec<(ImageKind, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| nifti::is_nifti_name(path)).collect();
    paths.sort();
    let mut found = BTreeMap::new();
    for path in paths {
        let Some(name) = BidsName::parse(&path).filter(|name| name.scan() == scan) else {
            continue;
        };
        if name.suffix() == "minIP" {
            found.insert(ImageKind::MinIp, path);
        } else if name.entity("part") == Some("phase") && is_one_volume(&path) {
            found.insert(ImageKind::Phase, path);
        }
    }
    found.into_iter().collect()
}

/// A series of echoes in one file cannot be shown.
fn is_one_volume(path: &Path) -> bool {
    nifti::read_header(path).is_ok_and(|header| header.volume_count() == 1)
}
