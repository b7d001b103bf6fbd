//! `deepmir annotate`.

use std::io::Write;
use std::path::Path;

use deepmir_annotate::export::{Combine, export, import, write_pending};
use deepmir_annotate::server::{Options, serve};
use deepmir_annotate::{Dataset, Store};
use deepmir_cases::bids;

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
    Ok(Dataset::from_bids(
        &arguments.data,
        &arguments.only.participant_label,
        &arguments.only.session_label,
        arguments.candidates.as_deref(),
        arguments.derivatives.as_deref(),
    )?)
}
